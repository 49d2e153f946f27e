import Glibc
import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import Testing

@Suite struct TokenGeneratorTests {
  private let model = lively(configuration(vocabulary: 61, context: 200) { $0.layerCount = 2 })

  private func request(_ prompt: [Int32], seed: UInt64, maximum: Int = 20, temperature: Float = 1) -> TokenRequest {
    TokenRequest(
      prompt: prompt, maximumTokens: maximum, sampling: .init(temperature: temperature, topK: 20, topP: 0.95),
      random: RandomSource(seed: seed))
  }

  private func run(_ generator: TokenGenerator, _ requests: [TokenRequest]) throws -> [[Int32]] {
    var result = requests.map { _ in [Int32]() }
    let first = try requests.map { try generator.add($0) }[0]
    while !generator.isDone {
      for step in try generator.step() { result[step.request - first].append(step.token.token) }
    }
    return result
  }

  private func prompt(_ length: Int, seed: UInt64) -> [Int32] {
    tokens([length], below: 61, seed: seed).array(of: Int32.self)
  }

  /// Prompts of all lengths together, in any company and order, give what each gives alone.
  @Test func continuationsDoNotDependOnTheirCompany() throws {
    var requests: [TokenRequest] = []
    for (i, length) in [1, 3, 64, 65, 130, 7, 7, 150, 2].enumerated() {
      requests.append(request(prompt(length, seed: UInt64(i)), seed: UInt64(i) + 50, maximum: 4 + 3 * i))
    }
    let alone = try requests.map { try run(TokenGenerator(model, cacheType: .float32), [$0])[0] }
    for (i, tokens) in alone.enumerated() { #expect(tokens.count == 4 + 3 * i) }
    let together = TokenGenerator(model, cacheType: .float32)
    #expect(try run(together, requests) == alone)
    #expect(together.cache.bytes == 0, "what has ended leaves the cache")
    // Three at a time: the others take the places of those that end.
    let few = TokenGenerator(model, cacheType: .float32)
    few.maximumBatch = 3
    #expect(try run(few, requests.reversed()) == alone.reversed())
  }

  /// Samples of one prompt read it once.
  @Test func equalPromptsAreReadOnce() throws {
    let generator = TokenGenerator(model, cacheType: .float32)
    let shared = prompt(100, seed: 9)
    let requests = (0..<5).map { request(shared, seed: $0) }
    let alone = try requests.map { try run(TokenGenerator(model, cacheType: .float32), [$0])[0] }
    #expect(try run(generator, requests) == alone)
    #expect(generator.lastReadCount == 100)
    #expect(Set(alone).count == 5)
  }

  @Test func aKeptPrefixIsNotReadAgain() throws {
    let generator = TokenGenerator(model, cacheType: .float32)
    generator.keepsPrefix = true
    let first = prompt(90, seed: 1)
    let answer = try run(generator, [request(first, seed: 3)])[0]
    let second = first + answer + [5, 6, 7]
    let expected = try run(TokenGenerator(model, cacheType: .float32), [request(second, seed: 4)])[0]
    #expect(try run(generator, [request(second, seed: 4)])[0] == expected)
    #expect(generator.lastReadCount == 4, "the last token generated was never read, and three are new")
    // Another beginning shares only part of it.
    let third = Array(first[..<40]) + [1, 2]
    _ = try run(generator, [request(third, seed: 4)])
    #expect(generator.lastReadCount == 2)
    generator.forgetPrefix()
    _ = try run(generator, [request(third, seed: 4)])
    #expect(generator.lastReadCount == 42)
  }

  /// Log-probabilities are the model's own, whatever temperature and penalties do.
  @Test func logProbabilitiesAreTheModels() throws {
    let start = prompt(6, seed: 2)
    let generator = TokenGenerator(model, cacheType: .float32)
    var asked = request(start, seed: 8)
    asked.logProbabilities = 5
    asked.sampling = SamplingOptions(temperature: 0.5, repetitionPenalty: 1.5, presencePenalty: 1)
    try generator.add(asked)
    var sequence = start
    while !generator.isDone {
      for step in try generator.step() {
        let row = model.logits(model(Tensor(sequence, [1, sequence.count])))[0][sequence.count - 1]
        let expected = row.reshaped([1, 61]).logSoftmax().array()
        let token = step.token
        #expect(abs(try #require(token.logProbability) - expected[Int(token.token)]) < 1e-4)
        let order = expected.indices.sorted { expected[$0] > expected[$1] }.prefix(5).map(Int32.init)
        #expect(token.best.map(\.token) == order)
        for best in token.best { #expect(abs(best.logProbability - expected[Int(best.token)]) < 1e-4) }
        sequence.append(token.token)
      }
    }
    #expect(sequence.count == 26)
  }

  @Test func endsOnRequestAndAtStopTokens() throws {
    let generator = TokenGenerator(model)
    var stops = request([1, 2], seed: 1)
    stops.stopTokens = Set(0..<61)
    let (a, b) = (try generator.add(request([3], seed: 2)), try generator.add(stops))
    let steps = try generator.step()
    #expect(steps.map(\.request) == [a, b] && steps[0].end == nil && steps[1].end == .stopToken)
    generator.end(a)
    #expect(generator.isDone && generator.cache.bytes == 0)
  }

  @Test func badRequestsAndModelsAreRefused() throws {
    let generator = TokenGenerator(model)
    #expect(throws: GenerationError.emptyPrompt) { try generator.add(request([], seed: 1)) }
    #expect(throws: GenerationError.promptTooLong(tokens: 200, context: 200)) {
      try generator.add(request(prompt(200, seed: 1), seed: 1))
    }
    #expect(throws: GenerationError.unknownToken(61, vocabulary: 61)) { try generator.add(request([61], seed: 1)) }
    #expect(generator.isDone)
    let damaged = lively(configuration(vocabulary: 61))
    let name = "model.layers.1.mlp.down_proj.weight"
    let parameter = try #require(damaged.parameters().first { $0.name == name })
    var values = parameter.value.array()
    values[3] = .nan
    parameter.value = Tensor(values, parameter.value.shape)
    let damagedGenerator = TokenGenerator(damaged)
    try damagedGenerator.add(request([1], seed: 1, temperature: 0))
    #expect(throws: GenerationError.notFinite(tensor: name)) { try damagedGenerator.step() }
  }

  @Test func streamsEverySoFar() async throws {
    var generator = Generator(try writer(of: "Hi, you"), tokenizer: ByteTokenizer(), options: .greedy)
    var text = ""
    for try await piece in try generator.start(prompt: "H").stream() { text += piece.text }
    #expect(text == "i, you")
    let answer = try generator.start(prompt: "H")
    _ = try answer.next()
    answer.cancel()
    #expect(answer.completions[0].reason == .cancelled && answer.completions[0].text == "i")
    #expect(try answer.next() == nil)
  }
}

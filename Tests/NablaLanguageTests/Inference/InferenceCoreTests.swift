import Glibc
import NablaLanguage
import NablaNN
import NablaTensor
import Testing

@Suite struct InferenceCoreTests {
  private let model = lively(configuration(vocabulary: 61, context: 200) { $0.layerCount = 2 })

  private func core(prefixBytes: Int? = 0) -> InferenceCore {
    InferenceCore(model, cacheType: .float32, limits: .init(prefixBytes: prefixBytes))
  }

  private func request(_ prompt: [Int32], seed: UInt64, maximum: Int = 20, temperature: Float = 1) -> TokenRequest {
    TokenRequest(
      prompt: prompt, maximumTokens: maximum, sampling: .init(temperature: temperature, topK: 20, topP: 0.95),
      random: RandomSource(seed: seed))
  }

  private func tokens(_ core: InferenceCore, _ requests: [TokenRequest]) throws -> [[Int32]] {
    try run(core, requests).map { $0.map(\.token) }
  }

  /// Prompts of all lengths together, in any company and order, give what each gives alone.
  @Test func continuationsDoNotDependOnTheirCompany() throws {
    var requests: [TokenRequest] = []
    for (i, length) in [1, 3, 64, 65, 130, 7, 7, 150, 2].enumerated() {
      requests.append(request(prompt(length, seed: UInt64(i)), seed: UInt64(i) + 50, maximum: 4 + 3 * i))
    }
    let alone = try requests.map { try tokens(core(), [$0])[0] }
    for (i, tokens) in alone.enumerated() { #expect(tokens.count == 4 + 3 * i) }
    let together = core()
    #expect(try tokens(together, requests) == alone)
    #expect(together.statistics.isNothing, "what has ended leaves the cache")
    // Three at a time: the others take the places of those that end.
    let few = InferenceCore(model, cacheType: .float32, limits: .init(continuations: 3))
    #expect(try tokens(few, requests.reversed()) == alone.reversed())
  }

  /// Samples of one prompt read it once.
  @Test func equalPromptsAreReadOnce() throws {
    let shared = prompt(100, seed: 9)
    let requests = (0..<5).map { request(shared, seed: $0) }
    let alone = try requests.map { try tokens(core(), [$0])[0] }
    let together = core()
    for request in requests { try together.add(request) }
    #expect(together.step().map(\.cachedCount) == [0, 100, 100, 100, 100])
    #expect(try tokens(core(), requests) == alone)
    #expect(Set(alone).count == 5)
  }

  /// Keys and values of another turn, of another chat, and of one that still runs, are not made again.
  @Test func beginningsAreNotReadAgain() throws {
    let kept = core(prefixBytes: nil)
    func cached(_ request: TokenRequest) throws -> Int {
      try kept.add(request)
      let first = kept.step()[0].cachedCount
      while !kept.isDone { _ = kept.step() }
      return first
    }
    let first = prompt(90, seed: 1)
    let answer = try tokens(kept, [request(first, seed: 3)])[0]
    let second = first + answer + [5, 6, 7]
    let expected = try tokens(core(), [request(second, seed: 4)])[0]
    #expect(try cached(request(second, seed: 4)) == 109, "the last token generated was never read, and three are new")
    #expect(try tokens(kept, [request(second, seed: 4)])[0] == expected)
    // Another beginning shares only part of it.
    #expect(try cached(request(Array(first[..<40]) + [1, 2], seed: 4)) == 40)
    kept.forgetPrefix()
    #expect(kept.statistics.cacheBytes == 0)
    #expect(try cached(request(Array(first[..<40]) + [1, 3], seed: 4)) == 0)
    // One that is under way serves as well.
    kept.forgetPrefix()
    try kept.add(request(first, seed: 1))
    _ = kept.step()
    try kept.add(request(first + [7, 8], seed: 1))
    #expect(kept.step().map(\.cachedCount) == [0, 90])
  }

  /// What was used last stays; no more is kept than there may be.
  @Test func keptPagesHaveABudget() throws {
    let page = model.makeCache(.float32).pageBytes
    let core = InferenceCore(model, cacheType: .float32, limits: .init(prefixBytes: 5 * page))
    let prompts = (0..<3).map { prompt(100, seed: 20 + $0) }
    func cached(_ index: Int) throws -> Int {
      try core.add(request(prompts[index] + [1], seed: 1, maximum: 2))
      let count = core.step()[0].cachedCount
      while !core.isDone { _ = core.step() }
      #expect(core.statistics.prefixBytes <= 5 * page)
      #expect(core.statistics.prefixBytes == core.statistics.cacheBytes)
      return count
    }
    // Two pages each: two fit.
    #expect(try [cached(0), cached(1), cached(0)] == [0, 0, 100])
    #expect(try [cached(2), cached(0), cached(1)] == [0, 100, 0])
  }

  /// A request is let in when all that it may come to is free; one that never could be is refused.
  @Test func admissionKeepsTheBudget() throws {
    let page = model.makeCache(.float32).pageBytes
    let core = InferenceCore(model, cacheType: .float32, limits: .init(cacheBytes: 3 * page))
    #expect(throws: GenerationError.cacheTooSmall(positions: 193, bytes: 4 * page, budget: 3 * page)) {
      try core.add(request(prompt(100, seed: 1), seed: 1, maximum: 94))
    }
    // At most three pages, forks of a common prompt included.
    let requests = (0..<7).map { i in
      request(i < 4 ? prompt(60, seed: 3) : prompt(20 * i, seed: UInt64(i)), seed: UInt64(i), maximum: 30)
    }
    let alone = try requests.map { try tokens(self.core(), [$0])[0] }
    var result = requests.map { _ in [Int32]() }
    for request in requests { try core.add(request) }
    var waited = 0
    while !core.isDone {
      for step in core.step() { result[step.request].append(try step.result.get().token) }
      #expect(core.statistics.cacheBytes <= 3 * page)
      waited = max(waited, core.statistics.waiting)
    }
    #expect(result == alone && waited > 0)
  }

  /// Log-probabilities are the model's own, whatever temperature and penalties do; and those it was drawn with.
  @Test func logProbabilitiesAreTheModels() throws {
    let start = prompt(6, seed: 2)
    for sampling in [
      SamplingOptions(temperature: 0.5, repetitionPenalty: 1.5, presencePenalty: 1), .init(temperature: 0.7), .greedy,
    ] {
      var asked = request(start, seed: 8)
      (asked.logProbabilities, asked.sampling) = (5, sampling)
      var sequence = start
      for token in try run(core(), [asked])[0] {
        let row = model.logits(model(Tensor(sequence, [1, sequence.count])))[0][sequence.count - 1].reshaped([1, 61])
        let expected = row.logSoftmax().array()
        #expect(abs(try #require(token.logProbability) - expected[Int(token.token)]) < 1e-4)
        let order = expected.indices.sorted { expected[$0] > expected[$1] }.prefix(5).map(Int32.init)
        #expect(token.best.map(\.token) == order)
        for best in token.best { #expect(abs(best.logProbability - expected[Int(best.token)]) < 1e-4) }
        if sampling == .init(temperature: 0.7) {
          let drawn = (row / Tensor(0.7)).logSoftmax().array()[Int(token.token)]
          #expect(abs(token.samplingLogProbability - drawn) < 1e-4)
        }
        if sampling == .greedy { #expect(token.samplingLogProbability == 0) }
        sequence.append(token.token)
      }
      #expect(sequence.count == 26)
    }
  }

  /// A hook forbids tokens, sees those so far, and is part of what log-probabilities are drawn with.
  @Test func theLogitHookMasks() throws {
    var asked = request(prompt(5, seed: 2), seed: 8)
    (asked.sampling, asked.logProbabilities) = (.init(temperature: 1, repetitionPenalty: 1.3), 0)
    #expect(try tokens(core(), [asked])[0].contains { $0 % 3 != 0 })
    asked.logitHook = { logits, tokens in
      precondition(logits.count == 61)
      for token in 0..<61 where token % 3 != 0 || token == Int(tokens.last!) { logits[token] = -.infinity }
    }
    let masked = try run(core(), [asked])[0]
    #expect(
      masked.allSatisfy { $0.token % 3 == 0 } && zip(masked, masked.dropFirst()).allSatisfy { $0.token != $1.token })
    #expect(masked.contains { $0.samplingLogProbability > $0.logProbability! })
    asked.logitHook = { logits, _ in logits[7] += 1000 }
    #expect(try tokens(core(), [asked])[0] == Array(repeating: 7, count: 20))
  }

  @Test func endsOnRequestAndAtStopTokens() throws {
    let core = core()
    var stops = request([1, 2], seed: 1)
    stops.stopTokens = Set(0..<61)
    let (a, b) = (try core.add(request([3], seed: 2)), try core.add(stops))
    let steps = core.step()
    #expect(steps.map(\.request) == [a, b] && steps[0].end == nil && steps[1].end == .stopToken)
    core.end(a)
    #expect(core.isDone && core.statistics.cacheBytes == 0)
  }

  /// A prompt under way ends between two of its parts, and others that wait for it go on.
  @Test func endsInAPrompt() throws {
    let core = InferenceCore(packed(), limits: .init(prefixBytes: 0))
    let long = prompt(1400, seed: 1)
    let (a, b) = (try core.add(request(long, seed: 1, maximum: 3)), try core.add(request(long, seed: 2, maximum: 3)))
    #expect(core.step().isEmpty && core.statistics.active == 2)
    core.end(a)
    #expect(core.statistics.active == 0 && core.statistics.waiting == 1 && core.statistics.cacheBytes == 0)
    var given: [Int] = []
    while !core.isDone { given += core.step().map(\.request) }
    #expect(given == [b, b, b])
  }

  @Test func badRequestsAndModelsAreRefused() throws {
    let core = core()
    #expect(throws: GenerationError.emptyPrompt) { try core.add(request([], seed: 1)) }
    #expect(throws: GenerationError.promptTooLong(tokens: 200, context: 200)) {
      try core.add(request(prompt(200, seed: 1), seed: 1))
    }
    #expect(throws: GenerationError.unknownToken(61, vocabulary: 61)) { try core.add(request([61], seed: 1)) }
    #expect(core.isDone)
    let damaged = lively(configuration(vocabulary: 61))
    let name = "model.layers.1.mlp.down_proj.weight"
    let parameter = try #require(damaged.parameters().first { $0.name == name })
    var values = parameter.value.array()
    values[3] = .nan
    parameter.value = Tensor(values, parameter.value.shape)
    let damagedCore = InferenceCore(damaged)
    #expect(throws: GenerationError.notFinite(tensor: name)) {
      try run(damagedCore, [request([1], seed: 1, temperature: 0)])
    }
  }

  /// Rollouts: samples of prompts with log-probabilities and text, on the calling thread.
  @Test func rollouts() throws {
    let core = core()
    let requests = (0..<6).map { i in
      GenerationRequest(request(prompt(20, seed: UInt64(i / 3)), seed: UInt64(i)))
    }
    let completions = try core.complete(requests, tokenizer: Letters())
    #expect(completions.map(\.tokens) == (try tokens(self.core(), requests.map(\.tokens))))
    #expect(completions.map(\.cachedCount) == [0, 20, 20, 0, 20, 20])
    for completion in completions {
      #expect(completion.text.utf8.count == 20 && completion.steps.allSatisfy { $0.samplingLogProbability < 0 })
    }
    #expect(throws: GenerationError.badLogitHook) {
      var bad = requests
      bad[4].tokens.logitHook = { logits, _ in for token in 0..<logits.count { logits[token] = -.infinity } }
      _ = try core.complete(bad, tokenizer: Letters())
    }
    #expect(core.isDone && core.statistics.cacheBytes == 0)
  }
}

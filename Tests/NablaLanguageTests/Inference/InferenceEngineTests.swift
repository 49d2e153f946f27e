import NablaLanguage
import NablaNN
import NablaTensor
import Testing

@Suite struct InferenceEngineTests {
  private func request(_ prompt: [Int32], seed: UInt64, maximum: Int = 12, temperature: Float = 1) -> TokenRequest {
    TokenRequest(
      prompt: prompt, maximumTokens: maximum,
      sampling: .init(temperature: temperature, topP: temperature > 1 ? 0.9 : 1),
      random: RandomSource(seed: seed), logProbabilities: 2)
  }

  /// Prompts of different lengths, some equal, some with a common beginning; greedy and seeded.
  private var mixed: [TokenRequest] {
    let common = prompt(150, seed: 99)
    let prompts = [
      prompt(1, seed: 1), prompt(3, seed: 2), prompt(63, seed: 3), prompt(64, seed: 4), prompt(65, seed: 5), common,
      common, common, common + prompt(9, seed: 6), common + prompt(200, seed: 7), prompt(127, seed: 8),
      prompt(128, seed: 9), prompt(600, seed: 10), prompt(1030, seed: 11), Array(common[..<70]), prompt(7, seed: 12),
    ]
    return prompts.enumerated().map { i, prompt in
      request(prompt, seed: UInt64(i), maximum: 3 + 5 * (i % 5), temperature: [0, 1, 1.5][i % 3])
    }
  }

  /// What each gives alone, each read by a task of its own, cold and with a warm prefix cache: the same bits.
  @Test(arguments: CacheType.allCases) func sixteenTogetherAreEachAlone(_ type: CacheType) async throws {
    let requests = mixed
    let alone = try requests.map {
      try run(InferenceCore(packed(), cacheType: type, limits: .init(prefixBytes: 0)), [$0])[0].bits
    }
    #expect(zip(alone, requests).allSatisfy { $0.count == $1.maximumTokens })
    let engine = InferenceEngine(packed(), tokenizer: Letters(), cacheType: type)
    for isWarm in [false, true] {
      let results = try await withThrowingTaskGroup(of: (Int, [[UInt32]], Int).self) { group in
        for (i, request) in requests.enumerated() {
          group.addTask {
            let stream = try engine.submit(GenerationRequest(request))
            var tokens: [GeneratedToken] = []
            for try await piece in stream { tokens.append(piece.token!) }
            let completion = try stream.completion()
            #expect(completion.steps.bits == tokens.bits && completion.reason == .length)
            return (i, tokens.bits, completion.cachedCount)
          }
        }
        return try await group.reduce(into: [:]) { $0[$1.0] = ($1.1, $1.2) }
      }
      for i in requests.indices { #expect(results[i]!.0 == alone[i], "request \(i), warm: \(isWarm)") }
      if isWarm { #expect(results[13]!.1 >= 1024 && results[9]!.1 >= 320) }
    }
  }

  /// A next turn reads the answer back as the model wrote it, or writes the same after reading it anew.
  @Test func aWarmTurnIsAColdOne() throws {
    let warm = InferenceCore(packed())
    let first = prompt(100, seed: 5)
    let answer = try run(warm, [request(first, seed: 1, maximum: 80)])[0].map(\.token)
    let turn = request(first + answer + prompt(30, seed: 6), seed: 2)
    let cold = try run(InferenceCore(packed(), limits: .init(prefixBytes: 0)), [turn])[0]
    #expect(try run(warm, [turn])[0].bits == cold.bits)
  }

  /// Requests that end at any time, before, in and after their prompt, leave nothing behind.
  @Test func cancelsLeaveThePagesWhereTheyWere() async throws {
    for prefixBytes in [0, 1 << 20] {
      let engine = InferenceEngine(packed(), tokenizer: Letters(), limits: .init(prefixBytes: prefixBytes))
      let expected = try engine.submit(GenerationRequest(request(prompt(40, seed: 1), seed: 1))).completion().steps.bits
      try await withThrowingTaskGroup(of: Void.self) { group in
        var random = RandomSource(seed: 7)
        for i in 0..<100 {
          let long = Int.random(in: 0..<8, using: &random) == 0
          let length = Int.random(in: 1..<(long ? 1200 : 150), using: &random)
          let (reads, seed) = (Int.random(in: 0..<6, using: &random), UInt64(i))
          group.addTask {
            // The engine waits with the token after those that are read, so that the request cannot come to its end.
            let gate = Gate()
            var held = request(prompt(length, seed: seed % 5), seed: seed, maximum: 300)
            held.logitHook = { _, tokens in if tokens.count == length + reads { gate.pass() } }
            let stream = try engine.submit(GenerationRequest(held))
            let iterator = stream.makeAsyncIterator()
            for _ in 0..<reads { _ = try await iterator.next() }
            stream.cancel()
            gate.open()
            // Read to its end, so that no thread of the tasks' blocks while the engine waits for another task.
            while try await iterator.next() != nil {}
            let completion = try stream.completion()
            #expect(completion.reason == .cancelled)
            #expect([reads, reads + 1].contains(completion.steps.count))
          }
        }
        try await group.waitForAll()
      }
      #expect(
        try engine.submit(GenerationRequest(request(prompt(40, seed: 1), seed: 1))).completion().steps.bits == expected)
      engine.forgetPrefix()
      #expect(engine.statistics.isNothing)
    }
  }

  /// A long prompt is cancelled between two of its parts, which are read in steps that another request holds.
  @Test func cancelsInAPrompt() throws {
    let engine = InferenceEngine(packed(), tokenizer: Letters(), limits: .init(prefixBytes: 0))
    let gate = Gate()
    var holder = request(prompt(9, seed: 3), seed: 1, maximum: 20)
    holder.logitHook = { _, _ in gate.pass() }
    let holding = try engine.submit(GenerationRequest(holder))
    gate.wait(for: 1)
    let stream = try engine.submit(GenerationRequest(request(prompt(1400, seed: 1), seed: 1)))
    gate.letThrough(1)
    // In this step the first part of the long prompt was read.
    gate.wait(for: 2)
    stream.cancel()
    gate.open()
    let completion = try stream.completion()
    #expect(completion.reason == .cancelled && completion.steps.isEmpty && completion.promptCount == 1400)
    #expect(try holding.completion().reason == .length)
    engine.forgetPrefix()
    #expect(engine.statistics.isNothing)
  }

  /// A stream that nobody has any more is cancelled, and one whose reading task is.
  @Test func cancelsWithItsReader() async throws {
    let engine = InferenceEngine(packed(), tokenizer: Letters(), limits: .init(prefixBytes: 0))
    let gate = Gate()
    var held = request(prompt(9, seed: 2), seed: 1, maximum: 1400)
    held.logitHook = { _, _ in gate.pass() }
    let stream = try engine.submit(GenerationRequest(held))
    let task = Task { for try await _ in stream { withUnsafeCurrentTask { $0?.cancel() } } }
    // A token at a time, until the task has asked for one after its cancellation: far fewer than there could be.
    var tokens = 0
    while !stream.isEnded, tokens < 1300 {
      gate.letThrough(1)
      tokens += 1
      try await Task.sleep(for: .milliseconds(1))
    }
    gate.open()
    _ = try? await task.value
    #expect(try stream.completion().reason == .cancelled)
    _ = try engine.submit(GenerationRequest(request(prompt(1000, seed: 2), seed: 1, maximum: 400)))
    engine.forgetPrefix()
    #expect(engine.statistics.isNothing)
  }

  /// An engine that goes ends its streams.
  @Test func streamsOutliveNoEngine() throws {
    let stream = try InferenceEngine(packed(), tokenizer: Letters()).submit(
      GenerationRequest(request([1], seed: 1, maximum: 2)))
    #expect(try stream.completion().tokens.count == 2, "its stream keeps the engine")
  }

  /// What is wrong with one request is that one's error; the others give what they give alone.
  @Test func badRequestsHarmNoOthers() async throws {
    var c = configuration(vocabulary: 64, context: 300)
    c.tieEmbeddings = false
    let model = lively(c)
    let embedding = try #require(model.parameters().first { $0.name == "model.embed_tokens.weight" })
    var values = embedding.value.array()
    for i in 0..<16 { values[63 * 16 + i] = .nan }
    embedding.value = Tensor(values, embedding.value.shape)
    let good = (0..<4).map { request(prompt(30 + 40 * $0, seed: UInt64($0)), seed: UInt64($0)) }
    let alone = try good.map {
      try run(InferenceCore(model, limits: .init(prefixBytes: 0)), [$0])[0].map(\.token)
    }
    let engine = InferenceEngine(model, tokenizer: Letters())
    #expect(throws: GenerationError.unknownToken(64, vocabulary: 64)) {
      try engine.submit(GenerationRequest(request([1, 64], seed: 1)))
    }
    #expect(throws: GenerationError.promptTooLong(tokens: 300, context: 300)) {
      try engine.submit(GenerationRequest(request(prompt(300, seed: 1), seed: 1)))
    }
    let damaged = request(prompt(20, seed: 8) + [63, 1], seed: 1)
    var forbids = request(prompt(20, seed: 8), seed: 1)
    forbids.logitHook = { logits, tokens in
      if tokens.count == 23 { for token in 0..<logits.count { logits[token] = -.infinity } }
    }
    var invents = forbids
    invents.logitHook = { logits, _ in logits[3] = .nan }
    for _ in 0..<2 {
      let streams = try engine.submit(
        [good[0], damaged, good[1], forbids, good[2], invents, good[3]].map { GenerationRequest($0) })
      for (stream, expected) in zip([0, 2, 4, 6].map { streams[$0] }, alone) {
        #expect(try stream.completion().tokens == expected)
      }
      #expect(throws: GenerationError.notFinite(tensor: "model.embed_tokens.weight")) { try streams[1].completion() }
      await #expect(throws: GenerationError.badLogitHook) { for try await _ in streams[3] {} }
      #expect(throws: GenerationError.badLogitHook) { try streams[5].next() }
    }
  }

  /// A budget is kept by requests of many tasks, which wait for each other.
  @Test func admissionWaitsOrRefuses() async throws {
    let model = packed(context: 400)
    let page = model.makeCache().pageBytes
    let engine = InferenceEngine(model, tokenizer: Letters(), limits: .init(cacheBytes: 4 * page))
    let error = #expect(throws: GenerationError.self) {
      try engine.submit(GenerationRequest(request(prompt(200, seed: 1), seed: 1, maximum: 100)))
    }
    #expect("\(try #require(error))".contains("more than the budget of \(4 * page)"))
    let streams = try engine.submit(
      (0..<9).map { GenerationRequest(request(prompt(100, seed: $0), seed: $0, maximum: 50)) })
    for stream in streams { #expect(try stream.completion().tokens.count == 50) }
  }
}

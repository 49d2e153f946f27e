import NablaLanguage
import NablaTensor
import NablaText
import Testing

/// A token a word; the words have different first letters.
private struct Words: Tokenizer {
  let words: [String]
  var vocabularySize: Int { words.count }
  var specialTokens: SpecialTokens { SpecialTokens() }
  func encode(_ text: String, recognizingSpecialTokens: Bool) -> [Int32] {
    text.compactMap { letter in words.firstIndex { $0.first == letter }.map(Int32.init) }
  }
  func appendBytes(of id: Int32, to bytes: inout [UInt8]) { bytes += Array(words[Int(id)].utf8) }
  func tokenizerJSON() -> String { "{}" }
}

/// Words of SentencePiece's kind: each with the space before it, which is dropped where a text begins.
private struct SpacedWords: Tokenizer {
  let words = [" one", " two", " three"]
  var vocabularySize: Int { words.count }
  var specialTokens: SpecialTokens { SpecialTokens() }
  func encode(_ text: String, recognizingSpecialTokens: Bool) -> [Int32] {
    text.split(separator: " ").compactMap { word in words.firstIndex(of: " " + word).map(Int32.init) }
  }
  func appendBytes(of id: Int32, to bytes: inout [UInt8]) { bytes += Array(words[Int(id)].utf8) }
  func appendText(of id: Int32, isFirst: Bool, to bytes: inout [UInt8]) {
    bytes += Array(words[Int(id)].utf8.dropFirst(isFirst ? 1 : 0))
  }
  func tokenizerJSON() -> String { "{}" }
}

@Suite struct TextGeneratorTests {
  private let greedy = SamplingOptions(temperature: 0)

  /// What comes out of a generator, and the pieces it was streamed in.
  private func run(
    _ model: TransformerLM, _ prompt: String, stop: [String] = [], maximumTokens: Int = 40
  ) throws -> (completion: Completion, pieces: [String]) {
    var generator = TextGenerator(model, tokenizer: ByteTokenizer(), sampling: greedy)
    generator.stopStrings = stop
    var pieces: [String] = []
    let completion = try generator.run(prompt: prompt, maximumTokens: maximumTokens) { _, text in pieces.append(text) }[
      0]
    return (completion, pieces)
  }

  @Test func writesToTheEndOfText() throws {
    let (completion, pieces) = try run(writer(of: "Hi, you"), "H")
    #expect(completion.text == "i, you" && completion.reason == .endOfText)
    #expect(completion.tokens == [105, 44, 32, 121, 111, 117, 256])
    #expect(pieces == ["i", ",", " ", "y", "o", "u"], "text streams as it comes")
  }

  @Test func stopsAtTheLengthAsked() throws {
    let (completion, _) = try run(writer(of: "abcdef", ends: false), "a", maximumTokens: 8)
    #expect(completion.text == "bcdefabc" && completion.reason == .length && completion.tokens.count == 8)
    #expect(try run(writer(of: "abc"), "a", maximumTokens: 0).completion.tokens.isEmpty)
  }

  /// The space before its first word belongs to a continuation, and not to a text or an answer of its own.
  @Test func aContinuationBeginsWithItsSpace() throws {
    let model = try chain([0: [(1, 1)], 1: [(2, 1)], 2: [(0, 1)]])
    var generator = TextGenerator(model, tokenizer: SpacedWords(), sampling: greedy)
    #expect(try generator.run(prompt: "one", maximumTokens: 2)[0].text == " two three")
    #expect(try generator.run(prompt: "", maximumTokens: 2)[0].text == "two three")
    #expect(try generator.run(prompts: [[0]], maximumTokens: 2)[0].text == "two three")
    generator.stopStrings = [" two"]
    #expect(try generator.run(prompt: "one", maximumTokens: 2)[0].reason == .stopString)
  }

  @Test func anEmptyPromptBeginsAText() throws {
    var generator = TextGenerator(
      try chain([0: [(97, 1)], 97: [(256, 1)]]), tokenizer: ByteTokenizer(), sampling: greedy)
    #expect(try generator.run(prompt: "")[0].text == "a")
  }

  /// Every stop string here comes in several tokens, one byte each.
  @Test(arguments: [
    (["STOP"], "12", true), (["S"], "12", true), (["STOPz"], "12", true), (["STOQ"], "12STOPz3", false),
    (["P", "ST"], "12", true), (["TOPz3!"], "12STOPz3", false), (["z3"], "12STOP", true), (["", "O"], "12ST", true),
    (["OPz", "TOPz3"], "12ST", true),
  ]) func stopStrings(_ stop: [String], _ expected: String, _ stops: Bool) throws {
    let (completion, pieces) = try run(writer(of: "x12STOPz3"), "x", stop: stop)
    #expect(completion.text == expected)
    #expect(completion.reason == (stops ? .stopString : .endOfText))
    #expect(pieces.joined() == expected, "what was streamed is the result")
  }

  /// Text is held back only while it may still begin a stop string.
  @Test func heldBackTextComesOnceItIsCertain() throws {
    #expect(try run(writer(of: "xabcdef"), "x", stop: ["abd"]).pieces == ["abc", "d", "e", "f"])
    #expect(try run(writer(of: "xabcdef"), "x", stop: ["defg"]).pieces == ["a", "b", "c", "def"])
  }

  /// The first stop string to appear ends the text, wherever it stands in the list.
  @Test func theEarliestStopStringWins() throws {
    // One token brings both.
    let words = Words(words: ["x", "12STOPz"])
    for stop in [["P", "T"], ["T", "P"]] {
      var generator = TextGenerator(try chain([0: [(1, 1)], 1: [(0, 1)]]), tokenizer: words, sampling: greedy)
      generator.stopStrings = stop
      let completion = try generator.run(prompt: "x", maximumTokens: 5)[0]
      #expect(completion.text == "12S" && completion.reason == .stopString && completion.tokens == [1])
    }
  }

  /// "\r\n" is one Character; a stop string "\n" must still be found in it.
  @Test func stopsInsideACharacter() throws {
    #expect(try run(writer(of: "xa\r\nb"), "x", stop: ["\n"]).completion.text == "a\r")
    #expect(try run(writer(of: "xa\r\nb"), "x", stop: ["\r"]).completion.text == "a")
  }

  @Test func neverShowsHalfACharacter() throws {
    // é is two tokens, C3 A9.
    let (completion, pieces) = try run(writer(of: "xaéb"), "x")
    #expect(completion.text == "aéb" && pieces == ["a", "é", "b"])
    #expect(try run(writer(of: "xaéb"), "x", maximumTokens: 2).completion.text == "a\u{FFFD}")
  }

  @Test func theContextIsALimit() throws {
    let model = try writer(of: "abc", ends: false)
    let limit = model.configuration.context
    let prompt = String(repeating: "abc", count: 20)
    let (completion, _) = try run(model, prompt, maximumTokens: 1000)
    #expect(completion.tokens.count == limit - 60 && completion.text == "abca" && completion.reason == .length)
    let error = #expect(throws: GenerationError.self) { try run(model, prompt + "abca") }
    #expect("\(try #require(error))".contains("64 tokens, but the context is 64"))
  }

  @Test func equalSeedsGiveEqualTexts() throws {
    let model = lively(configuration(vocabulary: 257, context: 64))
    func text(_ seed: UInt64, count: Int = 1) throws -> [String] {
      var generator = TextGenerator(model, tokenizer: ByteTokenizer(), sampling: .init(temperature: 1), seed: seed)
      return try generator.run(prompt: "ab", maximumTokens: 30, count: count).map(\.text)
    }
    #expect(try text(1) == text(1) && text(1) != text(2))
    let three = try text(1, count: 3)
    #expect(three == (try text(1, count: 3)) && Set(three).count == 3)
    #expect(try text(1)[0] == three[0], "the first of several is the one that comes alone")
  }

  /// Continuations of a batch are draws from the chain: only its steps, as often as it says, and each ends by itself.
  @Test func batchesFollowTheDistribution() throws {
    let model = try chain([97: [(98, 0.7), (99, 0.3)], 98: [(97, 0.5), (256, 0.5)], 99: [(97, 1)]], context: 32)
    var generator = TextGenerator(model, tokenizer: ByteTokenizer(), sampling: .init(temperature: 1), seed: 3)
    var streamed = [Int: String]()
    let completions = try generator.run(prompt: "a", maximumTokens: 30, count: 400) { streamed[$0, default: ""] += $1 }
    var steps: [[Int32]: Int] = [:]
    for (i, completion) in completions.enumerated() {
      #expect(completion.text == streamed[i, default: ""])
      let ends = completion.tokens.last == 256
      #expect(completion.reason == (ends ? .endOfText : .length))
      #expect(completion.tokens.dropLast().allSatisfy { $0 != 256 } && (ends || completion.tokens.count == 30))
      for (a, b) in zip([97] + completion.tokens, completion.tokens) { steps[[a, b], default: 0] += 1 }
    }
    #expect(Set(steps.keys) == [[97, 98], [97, 99], [98, 97], [98, 256], [99, 97]])
    func check(_ a: [Int32], _ b: [Int32], _ p: Double) {
      let (x, n) = (Double(steps[a]!), Double(steps[a]! + steps[b]!))
      #expect(abs(x - n * p) < 5 * (n * p * (1 - p)).squareRoot())
    }
    check([97, 98], [97, 99], 0.7)
    check([98, 97], [98, 256], 0.5)
  }

  /// The cache changes nothing: greedy text is that of reading everything anew for each token.
  @Test(arguments: [
    "rotary", "learned", "sinusoidal", "window", "window after the first layer", "multi-query", "norms of heads",
  ]) func cacheChangesNothing(
    _ kind: String
  ) throws {
    let model = lively(
      configuration(vocabulary: 257, context: 40) {
        switch kind {
        case "learned": gpt2Shaped(&$0)
        case "sinusoidal": $0.positions = .sinusoidal
        case "window": $0.window = 5
        case "window after the first layer": ($0.window, $0.firstWindowLayer) = (5, 1)
        case "norms of heads": $0.headNorm = .rms
        case "multi-query": $0.keyValueHeadCount = 1
        default: break
        }
      })
    let input = tokens([3, 20], below: 257)
    let cache = model.makeCache(.float32)
    let sequences = (0..<3).map { _ in cache.add() }
    var parts: [Tensor] = []
    for range in [0..<7, 7..<8, 8..<9, 9..<18, 18..<20] {
      let rows = sequences.enumerated().map { ($1, input[$0][range].array(of: Int32.self)) }
      parts.append(model.logits(model.read(rows, cache)).reshaped([3, range.count, 257]))
    }
    let whole = model.logits(model(input))
    #expect(largestDifference(Tensor.concatenate(parts, axis: 1), whole) < 1e-4 * (1 + Double(whole.array().max()!)))
    var generator = TextGenerator(model, tokenizer: ByteTokenizer(), sampling: greedy, cacheType: .float32)
    let generated = try generator.run(prompt: "abc", maximumTokens: 20)[0].tokens
    var sequence: [Int32] = [97, 98, 99]
    for _ in generated {
      let logits = model.logits(model(Tensor(sequence, [1, sequence.count])))[0][sequence.count - 1].array()
      sequence.append(Int32(logits.indices.max { logits[$0] < logits[$1] }!))
    }
    #expect(Array(sequence.dropFirst(3)) == generated)
  }

  @Test func streamsEverySoFar() async throws {
    var generator = TextGenerator(try writer(of: "Hi, you"), tokenizer: ByteTokenizer(), sampling: .greedy)
    var text = ""
    for try await piece in try generator.start(prompt: "H")[0] { text += piece.text }
    #expect(text == "i, you")
    let endless = try writer(of: "abcdef", ends: false)
    var other = TextGenerator(endless, tokenizer: ByteTokenizer(), sampling: .greedy)
    let answer = try other.start(prompt: "a")[0]
    _ = try answer.next()
    answer.cancel()
    let completion = try answer.completion()
    var pieces = "b"
    while let piece = try answer.next() { pieces += piece.text }
    #expect(completion.text.hasPrefix("b") && completion.text == pieces && completion.tokens.count <= 63)
  }

  /// Held text comes with the cancellation, and copies of a generator do not take each other's tokens.
  @Test func copiesShareAnEngineAndNoStreams() throws {
    var one = TextGenerator(try writer(of: "xabcdef"), tokenizer: ByteTokenizer(), sampling: .greedy)
    var two = one
    two.stopStrings = ["ef"]
    let (a, b) = (try one.start(prompt: "x")[0], try two.start(prompt: "xab")[0])
    #expect(try b.completion().text == "cd" && b.completion().reason == .stopString)
    #expect(try a.completion().text == "abcdef")
  }
}

import NablaText
import Testing

@Suite struct ByteTokenizerTests {
  @Test func idsAreBytesAndSpecialTokensFollow() {
    let tokenizer = ByteTokenizer(specialTokens: ["<|endoftext|>", "<|end|>"])
    #expect(tokenizer.vocabularySize == 258)
    #expect(tokenizer.encode("é<|end|>a", recognizingSpecialTokens: true) == [0xC3, 0xA9, 257, 97])
    #expect(tokenizer.encode("<|end|>", recognizingSpecialTokens: false) == "<|end|>".utf8.map(Int32.init))
    #expect(tokenizer.endOfText == 256)
    #expect(tokenizer.decode([72, 105, 257]) == "Hi<|end|>")
    #expect(tokenizer.decode([72, 105, 257], skippingSpecialTokens: true) == "Hi")
    #expect(tokenizer.byteCounts() == Array(repeating: 1, count: 256) + [0, 0])
  }

  @Test func idsWithoutATokenDecodeToNothing() {
    #expect(ByteTokenizer().decode([-1, 65, 300, .max, .min]) == "A")
  }

  @Test func theLongestSpecialTokenThatBeginsFirstWins() {
    let tokenizer = ByteTokenizer(specialTokens: ["<a", "<a>b", "a>"])
    #expect(tokenizer.encode("<a>b<a>", recognizingSpecialTokens: true) == [257, 256, 62])
  }
}

@Suite struct CharacterTokenizerTests {
  @Test func idsFollowTheOrderOfCodePoints() throws {
    let tokenizer = try CharacterTokenizer(corpus: ["bca", "é🙂"])
    #expect(tokenizer.vocabularySize == 6)
    #expect(try tokenizer.encode("abcé🙂<|endoftext|>") == [1, 2, 3, 4, 5, 0])
    #expect(tokenizer.decode([5, 4, 1]) == "🙂éa")
    #expect(tokenizer.byteCounts() == [0, 1, 1, 1, 2, 4])
  }

  /// Unicode calls these two equal; as text to model they differ.
  @Test func equivalentSpellingsStayApart() throws {
    let text = "\u{212B}\u{C5}A\u{30A}"
    let tokenizer = try CharacterTokenizer(corpus: [text])
    #expect(tokenizer.vocabularySize == 5)
    #expect(Array(try tokenizer.decode(tokenizer.encode(text)).utf8) == Array(text.utf8))
  }

  @Test func anUnknownCharacterIsNamedWithItsPlace() throws {
    let tokenizer = try CharacterTokenizer(corpus: ["abc\né"])
    #expect(throws: TokenizerError.unknownCharacter("x", offset: 5, line: 2, column: 2)) {
      try tokenizer.encode("abc\néx")
    }
    #expect(throws: TokenizerError.unknownCharacter("∇", offset: 1, line: 1, column: 2)) { try tokenizer.encode("a∇") }
    #expect("\(TokenizerError.unknownCharacter("∇", offset: 1, line: 1, column: 2))".contains("U+2207"))
  }

  @Test func anEmptyCorpusIsAnError() {
    #expect(throws: TokenizerError.emptyCorpus) { try CharacterTokenizer(corpus: ["", ""]) }
  }
}

@Suite struct StreamingDecoderTests {
  @Test func wholeCharactersOnly() {
    var decoder = StreamingDecoder(ByteTokenizer())
    let pieces = "aé世🙂".utf8.map { decoder.append(Int32($0)) }
    #expect(pieces == ["a", "", "é", "", "", "世", "", "", "", "🙂"])
    #expect(decoder.finish() == "")
  }

  @Test func aBrokenEndIsShownOnce() {
    var decoder = StreamingDecoder(ByteTokenizer())
    #expect(decoder.append(0xF0) + decoder.append(0x9F) == "")
    #expect(decoder.finish() == "\u{FFFD}")
    #expect(decoder.finish() == "")
  }

  @Test func specialTokensAreSkippedUnlessWanted() {
    var hiding = StreamingDecoder(ByteTokenizer())
    #expect(hiding.append(256) == "")
    var showing = StreamingDecoder(ByteTokenizer(), skippingSpecialTokens: false)
    #expect(showing.append(256) == "<|endoftext|>")
  }

  /// Random bytes, most of them not UTF-8: the pieces joined are what decoding at once gives.
  @Test func piecesJoinToTheWhole() {
    let tokenizer = ByteTokenizer()
    let interesting: [Int32] = [0x41, 0x80, 0xBF, 0xC0, 0xC3, 0xE0, 0xA0, 0xED, 0xE4, 0xF0, 0x90, 0xF4, 0xF5, 0xFF]
    var random = SplitMix(seed: 1)
    for _ in 0..<5_000 {
      let ids = (0..<Int.random(in: 1...12, using: &random)).map { _ in interesting.randomElement(using: &random)! }
      var decoder = StreamingDecoder(tokenizer)
      let joined = ids.map { decoder.append($0) }.joined() + decoder.finish()
      #expect(Array(joined.unicodeScalars) == Array(tokenizer.decode(ids).unicodeScalars), "\(ids)")
    }
  }
}

/// A small generator for tests, so that they are the same on every run.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

import NablaFormats
import NablaText
import Testing

@Suite struct ByteLevelBPETests {
  /// The definition, word for word: replace the earliest learned pair, the leftmost of equals, until none is left.
  static func naiveEncode(_ word: [UInt8], _ merges: [(left: [UInt8], right: [UInt8])]) -> [[UInt8]] {
    var symbols = word.map { [$0] }
    while true {
      var best: (rank: Int, at: Int)?
      for i in symbols.indices.dropLast() {
        let rank = merges.firstIndex { $0.left == symbols[i] && $0.right == symbols[i + 1] }
        if let rank, rank < best?.rank ?? .max { best = (rank, i) }
      }
      guard let best else { return symbols }
      symbols[best.at] += symbols.remove(at: best.at + 1)
    }
  }

  static func mergeBytes(_ tokenizer: ByteLevelBPETokenizer) throws -> [(left: [UInt8], right: [UInt8])] {
    let merges = try JSONValue(parsing: tokenizer.tokenizerJSON())["model"]?["merges"]?.array
    // The texts here are ASCII letters, whose spelling is themselves.
    return try #require(merges).map { (Array($0.array![0].string!.utf8), Array($0.array![1].string!.utf8)) }
  }

  /// Words over two or three letters have many ties; lengths reach both the scanning and the heap procedure.
  @Test(arguments: [(2, 1), (3, 2), (2, 3)])
  func encodingFollowsTheDefinition(letters: Int, seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let alphabet = Array("abc".prefix(letters))
    func word(_ length: Int) -> String { String((0..<length).map { _ in alphabet.randomElement(using: &random)! }) }
    let corpus = (0..<200).map { _ in word(12) }.joined(separator: " ")
    let tokenizer = try BPETrainer(vocabularySize: 300, preTokenizer: .none).train(
      corpus.split(separator: " ").map(String.init))
    let merges = try Self.mergeBytes(tokenizer)
    #expect(merges.count == 43)
    for length in [1, 2, 3, 5, 8, 13, 47, 48, 49, 50, 77, 130, 400] {
      let text = word(length)
      let expected = Self.naiveEncode(Array(text.utf8), merges)
      #expect(try tokenizer.encode(text).map { tokenizer.bytes(of: $0) } == expected, "\(text)")
    }
  }

  @Test func aMillionEqualLettersEncode() throws {
    let tokenizer = try BPETrainer(vocabularySize: 264, preTokenizer: .none).train([
      String(repeating: "e", count: 5_000)
    ])
    let ids = try tokenizer.encode(String(repeating: "e", count: 1 << 20))
    #expect(tokenizer.decode(ids).utf8.count == 1 << 20)
    // Seven merges double the length: 2^20 letters are 2^13 tokens of 128.
    #expect(ids.count == 1 << 13)
  }

  @Test func decodingReturnsTheText() throws {
    let tokenizer = try BPETrainer(vocabularySize: 700).train([TokenizerFixture.corpus])
    var random = SplitMix(seed: 5)
    let scalars = Array(TokenizerFixture.corpus.unicodeScalars)
    for _ in 0..<200 {
      var text = String.UnicodeScalarView()
      for _ in 0..<60 { text.append(scalars.randomElement(using: &random)!) }
      #expect(Array(try tokenizer.decode(tokenizer.encode(String(text))).utf8) == Array(String(text).utf8))
    }
  }

  @Test func specialTokensAreMatchedOnlyWhenAsked() throws {
    let tokenizer = try BPETrainer(vocabularySize: 300).train(["some text, some more text"])
    #expect(try tokenizer.encode("<|endoftext|>") == [0])
    let plain = try tokenizer.encode("<|endoftext|>", recognizingSpecialTokens: false)
    #expect(!plain.contains(0) && tokenizer.decode(plain) == "<|endoftext|>")
  }

  @Test func anEmptyTextHasNoTokens() throws {
    #expect(try BPETrainer(vocabularySize: 300).train(["abc"]).encode("") == [])
  }
}

@Suite struct BPETrainerTests {
  /// The definition: count all pairs anew for each merge, take the most frequent, the smaller pair of equals.
  static func naiveMerges(_ words: [[UInt8]], count: Int, minimumFrequency: Int) -> [[[UInt8]]] {
    var words = words.map { $0.map { [$0] } }
    // Ids follow the order in which tokens appear; bytes of printable ASCII are in the order of their values.
    var order: [[UInt8]: Int] = [:]
    for byte in 0...255 { order[[UInt8(byte)]] = byte }
    var merges: [[[UInt8]]] = []
    for _ in 0..<count {
      var counts: [[[UInt8]]: Int] = [:]
      for word in words { for i in word.indices.dropLast() { counts[[word[i], word[i + 1]], default: 0] += 1 } }
      let best = counts.max {
        ($0.value, -order[$0.key[0]]!, -order[$0.key[1]]!) < ($1.value, -order[$1.key[0]]!, -order[$1.key[1]]!)
      }
      guard let best, best.value >= minimumFrequency else { break }
      merges.append(best.key)
      let merged = best.key[0] + best.key[1]
      if order[merged] == nil { order[merged] = order.count }
      for w in words.indices {
        var result: [[UInt8]] = []
        var i = 0
        while i < words[w].count {
          let matches = i + 1 < words[w].count && words[w][i] == best.key[0] && words[w][i + 1] == best.key[1]
          result.append(matches ? merged : words[w][i])
          i += matches ? 2 : 1
        }
        words[w] = result
      }
    }
    return merges
  }

  @Test(arguments: [2, 5, 9])
  func mergesFollowTheDefinition(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    // No letter twice in a row: the count of a pair like "aa" in "aaa" is a matter of convention.
    let words = (0..<60).map { _ -> String in
      var word = ""
      for _ in 0..<7 { word.append("abcdefg".filter { $0 != word.last }.randomElement(using: &random)!) }
      return word
    }
    let tokenizer = try BPETrainer(vocabularySize: 257 + 40, preTokenizer: .none).train(words)
    let naive = Self.naiveMerges(words.map { Array($0.utf8) }, count: 40, minimumFrequency: 2)
    #expect(try ByteLevelBPETests.mergeBytes(tokenizer).map { [$0.left, $0.right] } == naive)
  }

  @Test func rarePairsAreNotMerged() throws {
    let trained = try BPETrainer(vocabularySize: 1_000, minimumFrequency: 3).train(["ab ab ab cd cd"])
    // "ab" occurs three times, " ab" and "cd" twice.
    #expect(trained.vocabularySize == 257 + 1)
  }

  @Test func aVocabularyMustHoldTheBytes() {
    #expect(throws: TokenizerError.vocabularyTooSmall(requested: 256, minimum: 257)) {
      try BPETrainer(vocabularySize: 256).train(["abc"])
    }
    #expect(throws: TokenizerError.emptyCorpus) { try BPETrainer(vocabularySize: 300).train([""]) }
  }

  @Test func progressEndsAtTheVocabularyFound() throws {
    var last: (Int, Int)?
    let tokenizer = try BPETrainer(vocabularySize: 600).train([TokenizerFixture.corpus]) { last = ($0, $1) }
    #expect(last?.0 == tokenizer.vocabularySize && last?.1 == 600)
  }

  @Test func noMergeSpellsASpecialToken() throws {
    let trainer = BPETrainer(vocabularySize: 400, specialTokens: ["abab"], preTokenizer: .none)
    let tokenizer = try trainer.train(Array(repeating: "xababx", count: 9))
    let ids = try tokenizer.encode("xababx", recognizingSpecialTokens: false)
    #expect(!ids.contains(0) && tokenizer.decode(ids) == "xababx")
  }
}

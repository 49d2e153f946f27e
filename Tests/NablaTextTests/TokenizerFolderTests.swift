import Foundation
import NablaFormats
import NablaText
import Testing

@Suite struct TokenizerFolderTests {
  static let corpus = TokenizerFixture.corpus
  static let tokenizers: [any Tokenizer] = [
    ByteTokenizer(specialTokens: ["<|endoftext|>", "<|im_start|>"]), ByteTokenizer(specialTokens: []),
    try! CharacterTokenizer(corpus: [corpus, "\u{0}\"\\\u{212B}\u{C5}"]),
    try! BPETrainer(vocabularySize: 700).train([corpus]),
    try! BPETrainer(vocabularySize: 500, specialTokens: [], preTokenizer: .llama3).train([corpus]),
    try! BPETrainer(vocabularySize: 500, preTokenizer: .qwen2).train([corpus]),
    try! BPETrainer(vocabularySize: 300, preTokenizer: .none).train([corpus]),
  ]

  @Test(arguments: 0..<7)
  func whatIsSavedLoadsAsTheSame(_ index: Int) throws {
    let tokenizer = Self.tokenizers[index]
    try Fixtures.withTemporaryFolder { folder in
      try TokenizerFolder.save(tokenizer, to: folder, maximumLength: 128)
      let loaded = try TokenizerFolder.load(folder)
      #expect(type(of: loaded) == type(of: tokenizer))
      #expect(loaded.vocabularySize == tokenizer.vocabularySize)
      #expect(loaded.tokenizerJSON() == tokenizer.tokenizerJSON())
      #expect(try loaded.encode(Self.corpus) == tokenizer.encode(Self.corpus))
      let ids = (0..<Int32(tokenizer.vocabularySize)).map { $0 }
      #expect(ids.map { loaded.bytes(of: $0) } == ids.map { tokenizer.bytes(of: $0) })
    }
  }

  /// A file that `transformers` saved (Tests/Fixtures/generate/tokenizers_fixture.py).
  @Test func aHuggingFaceFileGivesItsIds() throws {
    let tokenizer = try TokenizerFolder.load(Fixtures.text + "/transformers")
    let fixture = TokenizerFixture.shared.transformers
    for (text, ids) in zip(fixture.texts, fixture.ids) {
      #expect(try tokenizer.encode(text) == ids, "\(String(reflecting: text))")
      #expect(tokenizer.decode(ids) == text)
    }
    #expect(tokenizer.specialTokens.map(\.content) == fixture.special)
  }

  /// Both ways files have of writing merges, members in another order, and escapes where none are needed.
  @Test func theFormOfAFileDoesNotMatter() throws {
    let tokenizer = Self.tokenizers[3]
    let good = Data(tokenizer.tokenizerJSON().utf8)
    var root = try #require(JSONSerialization.jsonObject(with: good) as? [String: Any])
    var model = try #require(root["model"] as? [String: Any])
    model["merges"] = try #require(model["merges"] as? [[String]]).map { $0.joined(separator: " ") }
    root["model"] = model
    let lines = try JSONSerialization.data(withJSONObject: root, options: .sortedKeys)
    let escaped = String(decoding: lines, as: UTF8.self).unicodeScalars.map { scalar -> String in
      let digits = String(scalar.value, radix: 16)
      return scalar.isASCII || scalar.value > 0xFFFF
        ? String(scalar) : "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }.joined()
    for text in [Array(lines), Array(escaped.utf8)] {
      try Fixtures.withTemporaryFolder { folder in
        try Fixtures.write(text, to: folder + "/tokenizer.json")
        let loaded = try TokenizerFolder.load(folder)
        #expect(loaded.tokenizerJSON() == tokenizer.tokenizerJSON())
      }
    }
  }

  /// A key twice in the vocabulary, which the JSON of a tree refuses, is refused by every kind.
  @Test(arguments: [(0, "\"a\": 97", "\"a\": 300"), (2, "\"a\": ", "\"a\": 300, \"a\": ")])
  func aTokenTwiceIsRefused(_ index: Int, _ once: String, _ twice: String) throws {
    let text = Self.tokenizers[index].tokenizerJSON()
    #expect(text.contains(once))
    try Fixtures.withTemporaryFolder { folder in
      let path = folder + "/tokenizer.json"
      let edited = text.replacing(once, with: index == 0 ? once + ", " + twice : twice, maxReplacements: 1)
      try Fixtures.write(Array(edited.utf8), to: path)
      let error = #expect(throws: TokenizerError.self) { try TokenizerFolder.load(path) }
      #expect(error.map { "\($0)" }?.hasPrefix("\(path): model.vocab[\"a\"]") == true, "\(String(describing: error))")
    }
  }

  /// Training on text in which a control token is spelled gives merges that no text needs.
  @Test func mergesOfControlTokensAreLeftOut() throws {
    let tokenizer = Self.tokenizers[3]
    let text = tokenizer.tokenizerJSON()
    try Fixtures.withTemporaryFolder { folder in
      let path = folder + "/tokenizer.json"
      let edited = text.replacing("\"merges\": [", with: "\"merges\": [[\"h\", \"<|endoftext|>\"],", maxReplacements: 1)
      #expect(edited != text)
      try Fixtures.write(Array(edited.utf8), to: path)
      #expect(try TokenizerFolder.load(path).tokenizerJSON() == text)
    }
  }

  @Test func specialTokensKeepTheirIdsInTheVocabulary() throws {
    let json = try JSONValue(parsing: try CharacterTokenizer(corpus: ["ba"]).tokenizerJSON())
    #expect(json["model"]?["vocab"]?.object?.members.map(\.key) == ["<|endoftext|>", "a", "b"])
    #expect(json["added_tokens"]?.array?.first?["id"]?.integer == 0)
  }

  /// Each edit of a good file, and the field that its error must name.
  static let damage: [(edit: @Sendable (inout [String: Any]) -> Void, field: String)] = [
    ({ $0["normalizer"] = ["type": "Nmt"] }, "normalizer is Nmt"),
    (
      {
        $0["normalizer"] = [
          "type": "Sequence",
          "normalizers": (0..<9).map { _ in
            ["type": "Replace", "pattern": ["String": "a"], "content": String(repeating: "a", count: 10)]
          },
        ]
      }, "normalizer: it can make a text 1.00 billion times longer"
    ),
    ({ $0["post_processor"] = ["type": "Mystery"] }, "post_processor is Mystery"),
    ({ $0["post_processor"] = ["type": "BertProcessing"] }, "post_processor.cls"),
    (
      {
        $0["post_processor"] = [
          "type": "TemplateProcessing",
          "single": [["SpecialToken": ["id": "<s>", "type_id": 0]], ["Sequence": ["id": "A", "type_id": 0]]],
        ]
      }, "post_processor.special_tokens"
    ),
    ({ $0["decoder"] = ["type": "WordPiece"] }, "decoder.type"),
    ({ $0["pre_tokenizer"] = NSNull() }, "pre_tokenizer"),
    ({ $0["pre_tokenizer"] = ["type": "Whitespace"] }, "pre_tokenizer"),
    (
      {
        $0["pre_tokenizer"] = [
          "type": "Sequence",
          "pretokenizers": [
            ["type": "Split", "behavior": "Isolated", "invert": false, "pattern": ["Regex": "(a+)+$"]],
            ["type": "ByteLevel", "use_regex": false, "add_prefix_space": false],
          ],
        ]
      }, "pre_tokenizer.pretokenizers[0].pattern"
    ),
    ({ $0["model"] = ["type": "Unigram"] }, "model.vocab"),
    ({ $0["model"] = ["type": "WordPiece", "vocab": ["a": 0]] }, "pre_tokenizer is ByteLevel"),
    ({ $0["model"] = ["type": "WordSalad", "vocab": ["a": 0]] }, "model.type"),
    ({ $0["model"] = 3 }, "model"),
    ({ $0["model"] = nil }, "model"),
    (setting("model", "vocab", to: [1, 2]), "model.vocab"),
    (settingVocabulary("zz", to: -1), "model.vocab[\"zz\"]"),
    (settingVocabulary("zz", to: 1 << 40), "model.vocab[\"zz\"]"),
    (settingVocabulary("zz", to: 1.5), "model.vocab[\"zz\"]"),
    (settingVocabulary("zz", to: 5), "model.vocab["),
    (settingVocabulary("<|endoftext|>", to: 900), "added_tokens"),
    (setting("model", "merges", to: [["a", "b", "c"]]), "model.merges[0]"),
    (setting("model", "merges", to: ["ab"]), "model.merges[0]"),
    (setting("model", "merges", to: [["a", "\u{4e16}"]]), "model.merges[0]"),
    (setting("model", "merges", to: [["zq", "qz"]]), "model.merges[0]"),
    (setting("model", "merges", to: [["q", "Z"]]), "model.merges[0]"),
    (setting("model", "merges", to: [["t", "h"], ["t", "h"]]), "model.merges[1]"),
    (setting("model", "merges", to: [["<|endoftext|>", "h"], ["t", "h"], ["t", "h"]]), "model.merges[2]: the pair"),
    (
      {
        // Inside of words such a token is not found first: its merges count.
        $0["added_tokens"] = [["id": 0, "content": "<|endoftext|>", "special": true, "single_word": true]]
        setting("model", "merges", to: [["<|endoftext|>", "h"]])(&$0)
      }, "model.merges[0]: the result \"<|endoftext|>h\""
    ),
    (setting("model", "merges", to: [["t", "h"], ["a", 1]]), "model.merges[1]: expected two tokens"),
    (setting("model", "merges", to: [["t", "h"], 7]), "model.merges[1]: expected two tokens"),
    (setting("model", "merges", to: ["t h", "t h x"]), "model.merges[1]: expected two tokens"),
    (setting("model", "merges", to: ["t h", " t"]), "model.merges[1]: expected two tokens"),
    (setting("model", "merges", to: [["", "h"]]), "model.merges[0]: expected two tokens"),
    (setting("model", "merges", to: [["zq", "h"]]), "model.merges[0]: the token \"zq\""),
    (setting("model", "merges", to: [["h", "zq"]]), "model.merges[0]: the token \"zq\""),
    (setting("model", "merges", to: [["q", "Z"]]), "model.merges[0]: the result \"qZ\""),
    (setting("model", "merges", to: "t h"), "model.merges: expected an array"),
    (setting("model", "byte_fallback", to: true), "model.byte_fallback"),
    (setting("model", "dropout", to: 0.1), "model.dropout"),
    (setting("model", "end_of_word_suffix", to: "</w>"), "model.end_of_word_suffix"),
    ({ $0["added_tokens"] = [["id": 0, "content": ""]] }, "added_tokens[0].content"),
    ({ $0["added_tokens"] = [["id": -4, "content": "<x>"]] }, "added_tokens[0].id"),
    ({ $0["added_tokens"] = [["id": 999, "content": "<x>"], ["id": 999, "content": "<y>"]] }, "added_tokens[1].id"),
    ({ $0["added_tokens"] = "none" }, "added_tokens"),
  ]

  static func setting(_ outer: String, _ inner: String, to value: Any) -> @Sendable (inout [String: Any]) -> Void {
    nonisolated(unsafe) let value = value
    return { root in
      var part = root[outer] as! [String: Any]
      part[inner] = value
      root[outer] = part
    }
  }

  static func settingVocabulary(_ token: String, to id: Any) -> @Sendable (inout [String: Any]) -> Void {
    nonisolated(unsafe) let id = id
    return { root in
      var model = root["model"] as! [String: Any]
      var vocabulary = model["vocab"] as! [String: Any]
      vocabulary[token] = id
      model["vocab"] = vocabulary
      root["model"] = model
    }
  }

  @Test(arguments: damage.indices)
  func aDamagedOrUnsupportedFileIsRefusedByField(_ index: Int) throws {
    let (edit, field) = Self.damage[index]
    let good = Data(Self.tokenizers[3].tokenizerJSON().utf8)
    var root = try #require(JSONSerialization.jsonObject(with: good) as? [String: Any])
    edit(&root)
    try Fixtures.withTemporaryFolder { folder in
      let path = folder + "/tokenizer.json"
      try Fixtures.write(Array(JSONSerialization.data(withJSONObject: root)), to: path)
      let error = #expect(throws: TokenizerError.self) { try TokenizerFolder.load(folder) }
      let message = error.map { "\($0)" } ?? ""
      #expect(message.hasPrefix("\(path): \(field)"), "\(message)")
    }
  }

  @Test func aMissingFileAndOneThatIsNotJSONAreErrors() throws {
    try Fixtures.withTemporaryFolder { folder in
      #expect(throws: FileError.self) { try TokenizerFolder.load(folder) }
      try Fixtures.write(Array("{\"model\": ".utf8), to: folder + "/tokenizer.json")
      #expect(throws: JSONError.self) { try TokenizerFolder.load(folder) }
      try Fixtures.write(Array("[]".utf8), to: folder + "/tokenizer.json")
      #expect(throws: TokenizerError.self) { try TokenizerFolder.load(folder) }
    }
  }

  /// Bytes of a small file changed, removed and repeated at random: loading throws or gives a tokenizer that works.
  @Test(arguments: 0..<4 as Range<UInt64>)
  func mutatedFilesNeverTrap(seed: UInt64) throws {
    let tokenizers: [any Tokenizer] = [
      ByteTokenizer(), try CharacterTokenizer(corpus: ["hello world"]),
      try BPETrainer(vocabularySize: 262).train(["hello hello world world"]),
    ]
    let originals = tokenizers.map { Array($0.tokenizerJSON().utf8.filter { $0 != 0x20 && $0 != 0x0A }) }
    var random = SplitMix(seed: seed)
    var accepted = 0
    try Fixtures.withTemporaryFolder { folder in
      for round in 0..<400 {
        var bytes = originals[round % originals.count]
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          let at = Int.random(in: 0..<bytes.count, using: &random)
          switch Int.random(in: 0..<4, using: &random) {
          case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
          case 1: bytes[at] = Array("0123456789-\",[]{}:eE.".utf8).randomElement(using: &random)!
          case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...20, using: &random)))
          default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 12)], at: at)
          }
        }
        try Data(bytes).write(to: URL(fileURLWithPath: folder + "/tokenizer.json"))
        if let loaded = try? TokenizerFolder.load(folder) {
          accepted += 1
          _ = try? loaded.encode("hello <|endoftext|> wörld\n")
          _ = loaded.decode(0..<300)
        }
      }
    }
    // Most single-digit changes of an id are harmless or refused; both must happen for this test to mean anything.
    #expect((1..<400).contains(accepted))
  }
}

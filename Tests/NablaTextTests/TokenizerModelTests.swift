import Foundation
import NablaFormats
import NablaText
import Testing

/// Every kind of tokenizer against Hugging Face `tokenizers` (Tests/Fixtures/generate/tokenizer_models.py).
@Suite struct TokenizerModelTests {
  static let folder = Fixtures.text + "/models/"
  static let cases = try! JSONValue(contentsOfFile: folder + "cases.json")
  static let texts = cases["texts"]!.array!.map { $0.string! }
  static let names = cases["tokenizers"]!.object!.keys
  static let ggufNames = ["smollm", "llama3", "qwen2", "llama2", "gemma", "gemma-runs", "t5", "bert"]

  static func ids(_ value: JSONValue) -> [Int32] { value.array!.map { Int32($0.integer!) } }

  /// Checks the ids and the decoded text of every case, streamed too.
  static func check(
    _ tokenizer: any Tokenizer, _ expected: JSONValue, _ texts: [String], _ name: String,
    where isSame: (String) -> Bool = { _ in true }
  ) throws {
    for (i, text) in texts.enumerated() where isSame(text) {
      // Hugging Face takes a byte token that is spelled out in a text for that token; SentencePiece does not.
      if name == "unigram", text.contains("<0x") { continue }
      let place: Comment = "\(name): \(String(reflecting: text))"
      let ids = ids(expected["ids"]!.array![i])
      #expect(try tokenizer.encode(text) == ids, place)
      let decoded = expected["decoded"]!.array![i].string!
      // Hugging Face writes U+FFFD for each byte of a broken run of byte tokens, and for all of a run with one.
      if !decoded.unicodeScalars.contains("\u{FFFD}") {
        #expect(Array(tokenizer.decode(ids).utf8) == Array(decoded.utf8), place)
      }
      var stream = StreamingDecoder(tokenizer, skippingSpecialTokens: false)
      let parts = ids.map { stream.append($0) } + [stream.finish()]
      #expect(Array(parts.joined().utf8) == Array(tokenizer.decode(ids).utf8), place)
    }
    #expect(try tokenizer.encode("a b", addingSpecialTokens: true) == ids(expected["framed"]!), "\(name)")
  }

  /// A completion continues the prompt: the space before its first word is not the one that decoders drop.
  @Test(arguments: names)
  func aContinuationKeepsItsSpace(_ name: String) throws {
    let tokenizer = try TokenizerFolder.load(Self.folder + name + ".json")
    let ids = try tokenizer.encode("the model of the end")
    var beginning = StreamingDecoder(tokenizer)
    var text = ""
    for (count, id) in ids.enumerated() {
      if count > 0 {
        var continuation = StreamingDecoder(tokenizer, continuing: true)
        #expect(text + ids[count...].map { continuation.append($0) }.joined() == tokenizer.decode(ids), "\(count)")
      }
      text += beginning.append(id)
    }
  }

  /// Each token stands at its place in the text, but for a space that the tokenizer put before it.
  @Test(arguments: names)
  func offsetsPointAtTheBytesOfEachToken(_ name: String) throws {
    let tokenizer = try TokenizerFolder.load(Self.folder + name + ".json")
    var found = 0
    for text in Self.texts + ["the model", "a <s> b</s>"] {
      let bytes = Array(text.utf8)
      guard let tokens = try? tokenizer.encodeWithOffsets(text) else { continue }
      found += 1
      #expect(tokens.map(\.id) == (try tokenizer.encode(text)))
      #expect(tokens.flatMap { bytes[$0.bytes] } == bytes, "\(name): \(text)")
      for (id, range) in tokens where !tokenizer.specialTokens.contains(id) {
        let token = tokenizer.bytes(of: id)
        #expect([token, Array(token.dropFirst())].contains(Array(bytes[range])), "\(name): \(text)")
      }
    }
    // A tokenizer that makes letters small, drops spaces or lacks characters has no places for some texts.
    if !name.hasPrefix("bert"), !["t5", "unigram"].contains(name) { #expect(found > Self.texts.count / 4, "\(name)") }
  }

  @Test(arguments: names)
  func aTokenizerFileGivesTheSameIds(_ name: String) throws {
    let tokenizer = try TokenizerFolder.load(Self.folder + name + ".json")
    try Self.check(tokenizer, Self.cases["tokenizers"]![name]!, Self.texts, name)
  }

  @Test(arguments: names)
  func whatIsWrittenGivesTheSameIds(_ name: String) throws {
    let tokenizer = try TokenizerFolder.load(Self.folder + name + ".json")
    try Fixtures.withTemporaryFolder { folder in
      try TokenizerFolder.save(tokenizer, to: folder)
      let loaded = try TokenizerFolder.load(folder)
      try Self.check(loaded, Self.cases["tokenizers"]![name]!, Self.texts, name)
      #expect(loaded.tokenizerJSON() == tokenizer.tokenizerJSON())
    }
  }

  @Test(arguments: ggufNames)
  func aGGUFFileGivesTheSameIds(_ name: String) throws {
    let pretrained = try PretrainedTokenizer.load(Self.folder + name + ".gguf")
    // GGUF files have runs as spaces, which the mark itself is not part of.
    let isSame = { (text: String) in name != "gemma-runs" || !text.contains("\u{2581}") }
    try Self.check(pretrained.tokenizer, Self.cases["tokenizers"]![name]!, Self.texts, name, where: isSame)
  }

  @Test(arguments: ["gpt2", "deepseek-v3", "falcon", "cl100k-first"] + ggufNames + ["mistral"])
  func whatIsWrittenAsGGUFGivesTheSameIds(_ name: String) throws {
    let tokenizer = try TokenizerFolder.load(Self.folder + name + ".json")
    var metadata = GGUFMetadata()
    let written = PretrainedTokenizer(
      tokenizer, roles: ["pad_token": "</s>"], chatTemplates: ["default": "x", "tool_use": "y"])
    try written.write(to: &metadata, vocabularySize: tokenizer.vocabularySize + 7)
    let read = try PretrainedTokenizer(metadata)
    #expect(read.chatTemplates == written.chatTemplates)
    #expect(read.tokenizer.template == tokenizer.template)
    // llama.cpp puts a space before every stretch of text; Mistral's file has it at the beginning of a text that does
    // not begin with one.
    let differs = { (text: String) in
      name == "mistral" && (text.hasPrefix(" ") || text.hasPrefix("\u{2581}") || text.contains("<"))
    }
    for text in Self.texts where !differs(text) {
      #expect(try read.tokenizer.encode(text) == tokenizer.encode(text), "\(name): \(String(reflecting: text))")
    }
  }

  /// GGUF has room for two ends beside `eos_token`, and a type for the unknown token.
  @Test func endsAndTheUnknownTokenSurviveGGUF() throws {
    let tokenizer = try TokenizerFolder.load(Self.folder + "llama2.json")
    let roles = ["eos_token": "</s>", "unk_token": "<unk>"]
    var metadata = GGUFMetadata()
    try PretrainedTokenizer(tokenizer, roles: roles, endTokens: [2, 10, 11]).write(to: &metadata)
    #expect(try PretrainedTokenizer(metadata).endTokens == [2, 10, 11])
    var full = GGUFMetadata()
    let many = PretrainedTokenizer(tokenizer, roles: roles, endTokens: [2, 10, 11, 12, 13])
    #expect(try many.write(to: &full).contains { $0.hasSuffix("omitted: 12, 13") }, "what does not fit is reported")
    let unknown = try #require(tokenizer.specialTokens.id(of: "<unk>"))
    #expect(try metadata.integers("tokenizer.ggml.token_type")[Int(unknown)] == 2)
    var words = GGUFMetadata()
    try PretrainedTokenizer(try TokenizerFolder.load(Self.folder + "bert.json")).write(to: &words)
    #expect(try words.integers("tokenizer.ggml.token_type")[words.integer("tokenizer.ggml.unknown_token_id")] == 2)
  }

  @Test func whatGGUFHasNoFormForIsRefused() throws {
    for name in ["added", "digit-runs", "nfd"] {
      let tokenizer = try TokenizerFolder.load(Self.folder + name + ".json")
      var metadata = GGUFMetadata()
      #expect(throws: TokenizerError.self) { try PretrainedTokenizer(tokenizer).write(to: &metadata) }
    }
    var metadata = GGUFMetadata()
    #expect(throws: TokenizerError.self) { try PretrainedTokenizer(ByteTokenizer()).write(to: &metadata) }
  }

  @Test func ggufFilesSayWhichTokensPlayWhichRole() throws {
    let pretrained = try PretrainedTokenizer.load(Self.folder + "qwen2.gguf")
    #expect(pretrained.roles == ["eos_token": "<|im_end|>"])
    #expect(pretrained.endTokens.isSuperset(of: [2]))
    #expect(try pretrained.render([ChatMessage(role: "user", content: "hi")]) == "hi")
  }

  /// Damage to the metadata, and the key that the error must name.
  static let damage: [(String, (key: String, value: GGUFValue?), says: String)] = [
    ("smollm", ("model", nil), "tokenizer.ggml.model"), ("smollm", ("model", .string("rwkv")), "tokenizer.ggml.model"),
    ("smollm", ("model", .uint32(1)), "tokenizer.ggml.model"),
    ("smollm", ("pre", .string("mystery")), "tokenizer.ggml.pre"),
    ("smollm", ("tokens", nil), "tokenizer.ggml.tokens"),
    ("smollm", ("tokens", .array(GGUFArray([1, 2] as [Int32]))), "tokenizer.ggml.tokens"),
    ("smollm", ("tokens", .array(GGUFArray([] as [String]))), "tokenizer.ggml.tokens"),
    ("smollm", ("tokens", .array(GGUFArray(["a", "a"]))), "tokenizer.ggml.token"),
    ("smollm", ("token_type", .array(GGUFArray([1] as [Int32]))), "tokenizer.ggml.token_type"),
    ("smollm", ("token_type", .string("x")), "tokenizer.ggml.token_type"),
    ("smollm", ("merges", nil), "tokenizer.ggml.merges"),
    ("smollm", ("merges", .array(GGUFArray(["a"]))), "tokenizer.ggml.merges[0]"),
    ("smollm", ("merges", .array(GGUFArray(["a b c"]))), "tokenizer.ggml.merges[0]"),
    ("smollm", ("merges", .array(GGUFArray(["\u{120}z \u{120}z"]))), "tokenizer.ggml.merges[0]"),
    ("smollm", ("merges", .array(GGUFArray([1] as [Int32]))), "tokenizer.ggml.merges"),
    ("llama3", ("bos_token_id", .uint32(4_000_000_000)), "tokenizer.ggml.add_bos_token"),
    ("llama3", ("bos_token_id", .string("3")), "tokenizer.ggml.bos_token_id"),
    ("llama2", ("scores", nil), "tokenizer.ggml.scores"),
    ("llama2", ("scores", .array(GGUFArray([1] as [Float]))), "tokenizer.ggml.scores"),
    ("llama2", ("add_space_prefix", .uint8(1)), "tokenizer.ggml.add_space_prefix"),
    ("llama2", ("add_bos_token", .string("yes")), "tokenizer.ggml.add_bos_token"),
    ("t5", ("precompiled_charsmap", .array(GGUFArray([9, 9] as [Int32]))), "tokenizer.ggml.precompiled_charsmap"),
    ("bert", ("unknown_token_id", nil), "tokenizer.ggml.unknown_token_id"),
  ]

  @Test(arguments: damage.indices)
  func damagedMetadataIsRefusedByKey(_ index: Int) throws {
    let (name, edit, says) = Self.damage[index]
    var metadata = try GGUFFile(path: Self.folder + name + ".gguf").metadata
    metadata["tokenizer.ggml." + edit.key] = edit.value
    let error = #expect(throws: (any Error).self) { try PretrainedTokenizer(metadata) }
    #expect(error.map { "\($0)" }?.contains(says) == true, "\(String(describing: error))")
  }

  /// Random arrays and random pieces of files: loading throws or gives a tokenizer that works.
  @Test(arguments: 0..<4 as Range<UInt64>)
  func mutatedFilesNeverTrap(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let files = try Self.names.map { try Array(Data(contentsOf: URL(fileURLWithPath: Self.folder + $0 + ".json"))) }
    var outcomes = [0, 0]
    try Fixtures.withTemporaryFolder { folder in
      for round in 0..<160 {
        var bytes = files[round % files.count]
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          let at = Int.random(in: 0..<bytes.count, using: &random)
          switch Int.random(in: 0..<4, using: &random) {
          case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
          case 1: bytes[at] = Array("0123456789-\",[]{}:eE.tf".utf8).randomElement(using: &random)!
          case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...20, using: &random)))
          default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 12)], at: at)
          }
        }
        try Data(bytes).write(to: URL(fileURLWithPath: folder + "/tokenizer.json"))
        guard let loaded = try? TokenizerFolder.load(folder) else {
          outcomes[1] += 1
          continue
        }
        outcomes[0] += 1
        for text in Self.texts.suffix(20) { _ = (try? loaded.encode(text)).map { loaded.decode($0) } }
        _ = loaded.decode(-2..<600)
        _ = loaded.tokenizerJSON()
      }
    }
    #expect(outcomes[0] > 0 && outcomes[1] > 0, "mutations should leave some files readable and break others")
  }

  /// Texts that make careless procedures quadratic: those then end by the limit, which is no measure of speed.
  @Test(.timeLimit(.minutes(5)), arguments: names)
  func hostileTextsTakeLinearTime(_ name: String) throws {
    let tokenizer = try TokenizerFolder.load(Self.folder + name + ".json")
    let texts = [
      String(repeating: "a", count: 100_000), String(repeating: "^", count: 300_000),
      String(repeating: " ", count: 300_000),
      String(repeating: "\n", count: 100_000), String(repeating: "<", count: 100_000),
      String(repeating: "\u{301}", count: 50_000),
      String(repeating: "tool", count: 30_000), String(repeating: "\u{2581}", count: 50_000),
      String(repeating: "'", count: 100_000),
    ]
    for text in texts { _ = try tokenizer.encode(text) }
  }

  static let smollm = Fixtures.package + "/.models/SmolLM2-135M-Instruct.Q4_1.gguf"

  @Test(.enabled(if: FileManager.default.fileExists(atPath: smollm), "there is no SmolLM2: make model"))
  func smolLM2GivesTheSameIds() throws {
    let expected = try JSONValue(contentsOfFile: Fixtures.text + "/smollm2.json")
    let pretrained = try PretrainedTokenizer.load(Self.smollm)
    let texts = Self.texts + expected["texts"]!.array!.map { $0.string! }
    try Self.check(pretrained.tokenizer, expected, texts, "SmolLM2")
    #expect(pretrained.endTokens == [0, 2] && pretrained.id(of: "bos_token") == 1)
    let prompt = try pretrained.render([ChatMessage(role: "user", content: "Hi")])
    #expect(prompt.hasSuffix("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"))
    #expect(try pretrained.encode([ChatMessage(role: "user", content: "Hi")]).filter { $0 == 1 }.count == 3)
  }
}

@Suite struct HuggingFaceFolderTests {
  static func folder(_ files: [String: String], _ body: (String) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      try Data(contentsOf: URL(fileURLWithPath: TokenizerModelTests.folder + "llama3.json"))
        .write(to: URL(fileURLWithPath: folder + "/tokenizer.json"))
      for (name, text) in files { try Fixtures.write(Array(text.utf8), to: folder + "/" + name) }
      try body(folder)
    }
  }

  @Test func theFilesOfAFolderAreRead() throws {
    try Self.folder([
      "tokenizer_config.json":
        #"{"bos_token": {"content": "<s>"}, "eos_token": "<|im_end|>", "pad_token": null, "chat_template": [{"name": "default", "template": "D{{ bos_token }}"}, {"name": "tool_use", "template": "T"}]}"#,
      "special_tokens_map.json": #"{"bos_token": "wrong", "unk_token": "<|endoftext|>"}"#,
      "generation_config.json": #"{"eos_token_id": [2, 4]}"#,
    ]) { folder in
      for path in [folder, folder + "/", folder + "/tokenizer.json"] {
        let read = try PretrainedTokenizer.load(path)
        #expect(read.roles == ["bos_token": "<s>", "eos_token": "<|im_end|>", "unk_token": "<|endoftext|>"])
        #expect(read.endTokens == [0, 2, 4], "named ones, and those known by their spelling")
        #expect(try read.render([]) == "D<s>")
        #expect(try read.render([], tools: []) == "T")
        #expect(throws: ChatTemplateError.self) { try read.render([], templateNamed: "rag") }
      }
    }
  }

  @Test func templatesInFilesOfTheirOwnComeFirst() throws {
    try Self.folder([
      "tokenizer_config.json": #"{"chat_template": "old"}"#, "chat_template.jinja": "new",
      "additional_chat_templates/rag.jinja": "rag", "additional_chat_templates/notes.txt": "x",
    ]) { folder in
      let templates = try PretrainedTokenizer.load(folder).chatTemplates
      #expect(templates == ["default": "new", "rag": "rag"])
    }
  }

  @Test(arguments: [
    ("tokenizer_config.json", "[]", "the file"), ("tokenizer_config.json", #"{"bos_token": 3}"#, "bos_token"),
    ("tokenizer_config.json", #"{"chat_template": 3}"#, "chat_template"),
    ("tokenizer_config.json", #"{"chat_template": [{"name": "a"}]}"#, "chat_template[0]"),
    ("generation_config.json", #"{"eos_token_id": "x"}"#, "eos_token_id"),
    ("generation_config.json", #"{"eos_token_id": [-1]}"#, "eos_token_id"), ("special_tokens_map.json", "{", "byte 1"),
  ])
  func aBadFileIsNamed(name: String, text: String, says: String) throws {
    try Self.folder([name: text]) { folder in
      let error = #expect(throws: (any Error).self) { try PretrainedTokenizer.load(folder) }
      let message = error.map { "\($0)" } ?? ""
      #expect(message.contains(folder + "/" + name) && message.contains(says), "\(message)")
    }
  }

  @Test func aFolderWithoutATokenizerIsNamed() throws {
    try Fixtures.withTemporaryFolder { folder in
      #expect(throws: TokenizerError.noTokenizer(path: folder)) { try PretrainedTokenizer.load(folder) }
    }
  }

  @Test func aModelWithoutATemplateSaysSo() throws {
    try Self.folder([:]) { folder in
      let error = #expect(throws: ChatTemplateError.self) { try PretrainedTokenizer.load(folder).render([]) }
      #expect(error.map { "\($0)" }?.contains("has none") == true)
    }
  }
}

@Suite struct UnicodeNormalizationTests {
  /// The texts of the test below in each form, by `tokenizers`: see the tokenizers nfd, nfkd and qwen2 above. Here:
  /// what the quick check lets pass must be what normalization would not change.
  @Test func theQuickCheckIsRight() {
    for value in (0 as UInt32)..<0x20000 {
      guard let scalar = Unicode.Scalar(value), NormalizationForm.isComposedAlways(value) else { continue }
      #expect(scalar.properties.canonicalCombiningClass == .notReordered, "U+\(String(value, radix: 16))")
      // Beside a character that is not passed, so that the whole text is normalized.
      var bytes = Array("\u{300}\(scalar)\u{300}".utf8)
      var alone = Array("\(scalar)\u{940}".utf8)
      NormalizationForm.nfc.apply(to: &alone)
      NormalizationForm.nfc.apply(to: &bytes)
      #expect(alone == Array("\(scalar)\u{940}".utf8), "U+\(String(value, radix: 16))")
    }
  }

  @Test(arguments: [
    ("e\u{301}", "\u{E9}", "e\u{301}"), ("\u{212B}", "\u{C5}", "A\u{30A}"),
    ("q\u{307}\u{323}", "q\u{323}\u{307}", "q\u{323}\u{307}"),
    ("\u{1100}\u{1161}\u{11A8}", "\u{AC01}", "\u{1100}\u{1161}\u{11A8}"),
    ("\u{AC00}\u{11A8}", "\u{AC01}", "\u{1100}\u{1161}\u{11A8}"),
    ("a\u{315}\u{300}\u{5AE}\u{300}b", "\u{E0}\u{5AE}\u{300}\u{315}b", "a\u{5AE}\u{300}\u{300}\u{315}b"),
    ("\u{958}", "\u{915}\u{93C}", "\u{915}\u{93C}"), ("\u{1E9B}\u{323}", "\u{1E9B}\u{323}", "\u{17F}\u{323}\u{307}"),
  ])
  func formsFollowTheStandard(text: String, nfc: String, nfd: String) {
    for (form, expected) in [(NormalizationForm.nfc, nfc), (.nfd, nfd)] {
      var bytes = Array(text.utf8)
      form.apply(to: &bytes)
      #expect(bytes == Array(expected.utf8), "\(form)")
    }
  }
}

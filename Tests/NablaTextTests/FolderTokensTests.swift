import Foundation
import NablaFormats
import NablaText
import Testing

/// What the files beside a tokenizer.json say of its tokens, and added tokens that the model's own vocabulary has too.
@Suite struct FolderTokensTests {
  static let cases = Fixtures.package + "/Tests/Fixtures/cases"

  /// A copy of a tokenizer.json with files beside it.
  private func withFolder(
    _ tokenizer: String, _ files: [String: String], _ body: (PretrainedTokenizer) throws -> Void
  ) throws {
    try Fixtures.withTemporaryFolder { folder in
      try FileManager.default.copyItem(atPath: "\(Self.cases)/\(tokenizer)", toPath: folder + "/tokenizer.json")
      for (name, text) in files { try Fixtures.write(Array(text.utf8), to: "\(folder)/\(name)") }
      try body(try PretrainedTokenizer.load(folder))
    }
  }

  /// Ids that transformers 5.24 gives for the same folders.
  @Test func namedTokensAreFound() throws {
    let decoder =
      #"{"282": {"content": "<|im_start|>", "special": true}, "283": {"content": "<|im_end|>", "special": true}}"#
    try withFolder("added-tokens/tokenizer.json", ["tokenizer_config.json": #"{"added_tokens_decoder": \#(decoder)}"#])
    {
      let ids = try $0.tokenizer.encode("<|im_end|><|im_end|> on")
      #expect(ids == [283, 283, 273])
      #expect($0.endTokens == [283] && $0.notes.isEmpty)
    }
    // What transformers wrote before version 4.34.
    try withFolder(
      "added-tokens/tokenizer.json",
      [
        "added_tokens.json": #"{"<|im_start|>": 282, "<|im_end|>": 283}"#,
        "special_tokens_map.json": #"{"eos_token": "<|im_end|>"}"#,
      ]
    ) {
      let ids = try $0.tokenizer.encode("<|im_start|>the cat<|im_end|>")
      #expect(ids == [282, 257, 275, 283] && $0.id(of: "eos_token") == 283)
      #expect(
        $0.tokenizer.decode(ids, skippingSpecialTokens: true) == "<|im_start|>the cat", "one is text, one control")
    }
    // A special token that the vocabulary has is looked for as it is spelled; one that it lacks is told.
    let additional = #"{"additional_special_tokens": ["Ġcat", "<absent>"], "pad_token": "<pad>"}"#
    try withFolder("added-tokens/tokenizer.json", ["tokenizer_config.json": additional]) {
      let ids = try $0.tokenizer.encode("the Ġcat")
      #expect(ids == [257, 220, 275])
      #expect($0.notes.count == 2 && $0.notes[0].contains("<pad>") && $0.notes[1].contains("<absent>"))
    }
  }

  /// What the configuration says of a token counts, as in transformers 5.24: here that it is a whole word and special.
  @Test func theConfigurationOfATokenCounts() throws {
    let word = #"{"257": {"content": "the", "single_word": true, "special": true, "normalized": false}}"#
    try withFolder("added-existing-word.json", ["tokenizer_config.json": #"{"added_tokens_decoder": \#(word)}"#]) {
      let (words, inside) = (try $0.tokenizer.encode("the other the"), try $0.tokenizer.encode("xthe"))
      #expect(words == [257, 278, 81, 220, 257] && inside == [87, 257])
      #expect($0.tokenizer.decode([257, 257], skippingSpecialTokens: true).isEmpty)
    }
  }

  @Test(arguments: [
    (#"{"added_tokens_decoder": {"258": {"content": "the"}}}"#, "the has the id 257 here and 258"),
    (#"{"added_tokens_decoder": {"257": {"content": "that"}}}"#, "the id 257 is the here and that"),
    (#"{"added_tokens_decoder": {"3": {"content": "odd"}}}"#, "the id 3 is the added token odd"),
    (#"{"added_tokens_decoder": {"x": {"content": "odd"}}}"#, "added_tokens_decoder[\"x\"]: expected a token id"),
    (#"{"added_tokens_decoder": {"300": {}}}"#, "added_tokens_decoder[\"300\"].content"),
    (#"{"added_tokens_decoder": []}"#, "added_tokens_decoder: expected an object"),
    (#"{"additional_special_tokens": [3]}"#, "additional_special_tokens[0]"),
  ])
  func contradictionsAreNamed(configuration: String, says: String) throws {
    let error = #expect(throws: TokenizerError.self) {
      try withFolder("added-existing-word.json", ["tokenizer_config.json": configuration]) { _ in }
    }
    #expect(error?.description.contains(says) == true, "\(String(describing: error))")
  }

  /// An added token that merges make survives tokenizer.json and GGUF.
  @Test func addedWordsAreWrittenAndReadBack() throws {
    let tokenizer = try TokenizerFolder.load(Self.cases + "/added-existing-word.json")
    var metadata = GGUFMetadata()
    try PretrainedTokenizer(tokenizer).write(to: &metadata)
    try Fixtures.withTemporaryFolder { folder in
      try TokenizerFolder.save(tokenizer, to: folder)
      for read in [try TokenizerFolder.load(folder), try PretrainedTokenizer(metadata).tokenizer] {
        for text in ["the other the", "bathe", "xthey", "others bathe there"] {
          #expect(try read.encode(text) == tokenizer.encode(text), "\(text)")
        }
        #expect(read.specialTokens.id(of: "the") == 257 && !read.specialTokens.isControl(257))
      }
    }
  }

  /// GGUF has no form for tokens that take the spaces beside them.
  @Test func whatGGUFCannotSayIsTold() throws {
    let word = #"{"257": {"content": "the", "single_word": true, "special": true, "normalized": false}}"#
    try withFolder("added-existing-word.json", ["tokenizer_config.json": #"{"added_tokens_decoder": \#(word)}"#]) {
      var metadata = GGUFMetadata()
      let notes = try $0.write(to: &metadata)
      #expect(notes.contains { $0.contains("whole words") && $0.hasSuffix("the") })
    }
  }

  /// An end of a turn that no file names and nobody knows is the one that the template writes.
  @Test func theTemplateSaysWhatEndsATurn() throws {
    let decoder = #"{"282": {"content": "[/turn]", "special": true}, "283": {"content": "<other>", "special": true}}"#
    let configuration = #"{"added_tokens_decoder": \#(decoder)}"#
    for (template, ends) in [
      ("{% for m in messages %}{{ m.content }} [/turn]<other>{% endfor %}", [282]),
      ("{% for m in messages %}{{ m.content }}x[/turn]{% endfor %}", []),
      ("{% for m in messages %}[/turn]{{ m.content }}{% endfor %}", []), ("{{ 1 / 0 }}", []), ("{% if", []),
    ] as [(String, Set<Int32>)] {
      let files = ["tokenizer_config.json": configuration, "chat_template.jinja": template]
      try withFolder("added-tokens/tokenizer.json", files) { #expect($0.endTokens == ends, "\(template)") }
    }
  }
}

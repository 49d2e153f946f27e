import NablaFormats
import NablaTemplates
import NablaText
import Testing

/// Encoders over bytes: what is learned can be read off the text.
enum ByteModel {
  static let tokenizer = ByteTokenizer(specialTokens: ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
  static let plain = PretrainedTokenizer(
    tokenizer, roles: ["bos_token": "<|im_start|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"],
    endTokens: [256, 258])

  /// ChatML without marks.
  static let chat =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
  /// ChatML with what the assistant says marked.
  static let marked =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}{% else %}{{ m.content }}<|im_end|>{% endif %}{{ '\n' }}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"

  static func encoder(
    _ template: String? = chat, maximumLength: Int? = nil, truncation: Truncation = .keepStart, keepsTail: Bool = false
  ) throws -> ExampleEncoder {
    try ExampleEncoder(
      plain, template: template, maximumLength: maximumLength, truncation: truncation, keepsTail: keepsTail)
  }

  /// The tokens as text, what is learned in ⟦brackets⟧.
  static func shown(_ example: EncodedExample) -> String {
    var text = ""
    var end = 0
    for range in example.trained {
      text += tokenizer.decode(example.tokens[end..<range.lowerBound])
      text += "⟦" + tokenizer.decode(example.tokens[range]) + "⟧"
      end = range.upperBound
    }
    return text + tokenizer.decode(example.tokens[end...])
  }
}

@Suite struct EncodingTests {
  static func example(_ content: DatasetExample.Content) -> DatasetExample {
    DatasetExample(content, place: DatasetPlace(file: "d.jsonl", line: 3))
  }
  static let question = ChatMessage(role: "user", content: "Hi é?")
  static let reply = ChatMessage(role: "assistant", content: "Yo")
  static func said(_ role: String, _ text: String) -> ChatMessage { ChatMessage(role: role, content: text) }

  // MARK: Plain text

  @Test func textIsLearnedWhole() throws {
    let encoder = try ByteModel.encoder()
    #expect(ByteModel.shown(try encoder.encode(Self.example(.text("abc")))) == "a⟦bc<|endoftext|>⟧")
    #expect(ByteModel.shown(try encoder.encode(Self.example(.text("ab<|endoftext|>")))) == "a⟦b<|endoftext|>⟧")
    #expect(try encoder.encode(Self.example(.text(""))).trained.isEmpty)
  }

  /// `<s>` comes from the tokenizer; a text that spells it has it once, too.
  @Test func theBeginningIsThereOnce() throws {
    let pretrained = try PretrainedTokenizer.load(Fixtures.text + "/models/llama2.json")
    let model = PretrainedTokenizer(pretrained.tokenizer, roles: ["bos_token": "<s>", "eos_token": "</s>"])
    let encoder = try ExampleEncoder(model)
    for text in ["the end", "<s>the end", "<s>the end</s>"] {
      let tokens = try encoder.encode(Self.example(.text(text))).tokens
      #expect(tokens.filter { $0 == 1 }.count == 1 && tokens.first == 1, "\(text): \(tokens)")
      #expect(tokens.filter { $0 == 2 }.count == 1 && tokens.last == 2, "\(text): \(tokens)")
    }
    let whole = try encoder.encode(Self.example(.text("the end")))
    #expect(whole.tokens == [1] + (try model.tokenizer.encode("the end")) + [2])
    #expect(whole.trained == [1..<whole.tokens.count])
  }

  @Test func ofAPromptAndCompletionTheCompletionIsLearned() throws {
    let encoder = try ByteModel.encoder()
    let encoded = try encoder.encode(Self.example(.completion(prompt: .plain("Q: "), completion: .plain("A"))))
    #expect(ByteModel.shown(encoded) == "Q: ⟦A<|endoftext|>⟧" && encoded.promptCount == 3)
    // An empty completion is an end; a prompt that ends with an end token does not take its place.
    let empty = try encoder.encode(
      Self.example(.completion(prompt: .plain("Q<|endoftext|>"), completion: .plain(""))))
    #expect(ByteModel.shown(empty) == "Q<|endoftext|>⟦<|endoftext|>⟧")
  }

  /// "wor" + "ld" is not " world": the prompt's tokens are those a model is given.
  @Test(arguments: ["smollm", "llama2", "qwen2", "gemma", "unigram", "mistral", "tekken"])
  func noMergeMovesTheBoundary(_ name: String) throws {
    let tokenizer = try TokenizerFolder.load(Fixtures.text + "/models/" + name + ".json")
    let encoder = try ExampleEncoder(
      PretrainedTokenizer(tokenizer, roles: ["eos_token": tokenizer.specialTokens.first!.content]))
    let text = "the model of the world is there"
    var moved = 0
    for cut in 1..<text.count {
      let (prompt, completion) = (String(text.prefix(cut)), String(text.dropFirst(cut)))
      let example = Self.example(.completion(prompt: .plain(prompt), completion: .plain(completion)))
      let encoded = try encoder.encode(example)
      #expect(Array(encoded.tokens[..<encoded.promptCount]) == (try encoder.encodePrompt(example)))
      #expect(encoded.trained == [encoded.promptCount..<encoded.tokens.count])
      #expect(
        tokenizer.decode(encoded.tokens.dropLast(), skippingSpecialTokens: true) == text, "\(prompt)|\(completion)")
      if Array(try tokenizer.encode(text)) != Array(encoded.tokens.dropLast()) { moved += 1 }
    }
    #expect(moved > 3, "the test needs cuts inside tokens")
  }

  // MARK: Conversations

  @Test(arguments: [ByteModel.chat, ByteModel.marked])
  func ofAChatTheAssistantIsLearned(template: String) throws {
    let encoder = try ByteModel.encoder(template)
    let messages = [
      Self.said("system", "S"), Self.question, Self.reply, Self.said("user", "?"), Self.said("assistant", "!"),
    ]
    let start = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nHi é?<|im_end|>\n<|im_start|>assistant\n"
    let middle = "\n<|im_start|>user\n?<|im_end|>\n<|im_start|>assistant\n"
    let encoded = try encoder.encode(Self.example(.messages(messages)))
    #expect(ByteModel.shown(encoded) == start + "⟦Yo<|im_end|>⟧" + middle + "⟦!<|im_end|>⟧")
    // As a completion only the last turn is, and the prompt is what the model is given.
    let completion = DatasetExample.Content.completion(
      prompt: .conversation(Array(messages.dropLast())), completion: .conversation([messages[4]]))
    let answer = try encoder.encode(Self.example(completion))
    #expect(ByteModel.shown(answer) == start + "Yo<|im_end|>" + middle + "⟦!<|im_end|>⟧")
    #expect(
      try encoder.encodePrompt(Self.example(completion)) == Array(answer.tokens[..<answer.promptCount]))
    #expect(try encoder.encodePrompt(Self.example(.messages(messages))) == Array(answer.tokens[..<answer.promptCount]))
    // What follows the last answer teaches nothing.
    let more = try encoder.encode(Self.example(.messages(messages + [Self.said("user", "bye")])))
    #expect(more == encoded)
  }

  /// As TRL does: the line end after the end token is learned, and the rest stays.
  @Test func theTailCanBeKept() throws {
    let encoder = try ByteModel.encoder(keepsTail: true)
    let encoded = try encoder.encode(Self.example(.messages([Self.question, Self.reply, Self.said("user", "x")])))
    #expect(
      ByteModel.shown(encoded)
        == "<|im_start|>user\nHi é?<|im_end|>\n<|im_start|>assistant\n⟦Yo<|im_end|>\n⟧<|im_start|>user\nx<|im_end|>\n")
  }

  @Test func transcriptsNeedNoTemplateOfTheModel() throws {
    let encoder = try ByteModel.encoder(Transcript.template)
    let encoded = try encoder.encode(
      Self.example(.completion(prompt: .conversation([Self.question]), completion: .conversation([Self.reply]))))
    #expect(ByteModel.shown(encoded) == "\n\nHuman: Hi é?\n\nAssistant:⟦ Yo<|endoftext|>⟧")
  }

  static let refused: [(template: String?, message: String)] = [
    (nil, "d.jsonl, line 3: the rows are messages, but the model has no chat template"),
    // The first answer changes when more follows, as where reasoning is left out of earlier turns.
    (
      "{% for m in messages %}{{ m.role }}:{{ m.content if loop.last else m.content[:1] }};{% endfor %}",
      "the chat template writes the conversation up to message 2 differently when more follows"
    ),
    // The beginning of an answer is not what the answer begins with.
    (
      "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}{% if add_generation_prompt %}bot:{% endif %}",
      "the chat template writes the beginning of message 2 differently when more follows (\"bot:\""
    ),
    ("{{ raise_exception('no system') }}", "d.jsonl, line 3: the chat template rejects this conversation: no system"),
  ]

  @Test(arguments: refused.indices)
  func aTemplateThatHidesWhatIsSaidIsRefused(_ index: Int) throws {
    let (template, message) = Self.refused[index]
    let encoder = try ByteModel.encoder(template)
    let messages = [Self.question, Self.reply, Self.said("user", "?"), Self.said("assistant", "!")]
    let error = #expect(throws: DatasetError.self) { try encoder.encode(Self.example(.messages(messages))) }
    #expect(error.map { "\($0)".contains(message) } == true, "\(error.map { "\($0)" } ?? "none")")
  }

  @Test func wrongShapesAreNamed() throws {
    let encoder = try ByteModel.encoder()
    let prompt = Self.example(.prompt(.plain("a")))
    #expect(throws: DatasetError.self) { try encoder.encode(prompt) }
    #expect(throws: DatasetError.self) { try encoder.encodePair(prompt) }
    #expect(throws: DatasetError.self) { try encoder.encodePrompt(Self.example(.text("a"))) }
    #expect(try encoder.encodePrompt(prompt) == [97])
    let none = Dataset([Self.example(.messages([Self.question]))], files: ["d.jsonl"])
    #expect(
      throws: DatasetError(file: "d.jsonl", line: 3, problem: "nothing to learn: no text or assistant turn")
    ) {
      try encoder.encode(none)
    }
  }

  // MARK: Pairs and lengths

  @Test func aPairHasOnePrompt() throws {
    let encoder = try ByteModel.encoder()
    let pair = try encoder.encodePair(
      Self.example(
        .preference(
          prompt: .conversation([Self.question]), chosen: .conversation([Self.reply]),
          rejected: .conversation([Self.said("assistant", "No"), Self.question, Self.said("assistant", "?")]))))
    let prompt = "<|im_start|>user\nHi é?<|im_end|>\n<|im_start|>assistant\n"
    #expect(ByteModel.tokenizer.decode(pair.prompt) == prompt)
    #expect(ByteModel.shown(pair.chosen) == prompt + "⟦Yo<|im_end|>⟧")
    #expect(ByteModel.shown(pair.rejected) == prompt + "⟦No<|im_end|>⟧\n" + prompt + "⟦?<|im_end|>⟧")
  }

  @Test func truncationKeepsWhatIsLearnedOrDropsTheRow() throws {
    let example = Self.example(.completion(prompt: .plain("abcd"), completion: .plain("xyz")))
    func fitted(_ length: Int, _ truncation: Truncation) throws -> String? {
      let encoder = try ByteModel.encoder(maximumLength: length, truncation: truncation)
      let whole = try encoder.encode(example)
      let fitted = encoder.fitted(whole)
      if let fitted { #expect(fitted.isTruncated == (length < 8) && fitted.tokens.count <= length) }
      return fitted.map { ByteModel.shown($0) + " \($0.promptCount)" }
    }
    #expect(try fitted(8, .keepStart) == "abcd⟦xyz<|endoftext|>⟧ 4")
    #expect(try fitted(6, .keepStart) == "abcd⟦xy⟧ 4")
    #expect(try fitted(4, .keepStart) == nil)
    #expect(try fitted(6, .keepEnd) == "cd⟦xyz<|endoftext|>⟧ 2")
    // Nothing is left that could predict the first of them.
    #expect(try fitted(4, .keepEnd) == "x⟦yz<|endoftext|>⟧ 0")
    let dataset = Dataset([example], files: ["d.jsonl"])
    let dropped = try ByteModel.encoder(maximumLength: 4).encode(dataset)
    #expect(dropped.elements.isEmpty && dropped.dropped == [example.place])
  }

  @Test func theBeginningOfAllTextsStays() throws {
    let pretrained = try PretrainedTokenizer.load(Fixtures.text + "/models/llama2.json")
    let model = PretrainedTokenizer(pretrained.tokenizer, roles: ["bos_token": "<s>", "eos_token": "</s>"])
    let encoder = try ExampleEncoder(model, maximumLength: 6, truncation: .keepEnd)
    let whole = try encoder.encode(
      Self.example(.completion(prompt: .plain("the model of the end"), completion: .plain(" it is"))))
    let fitted = try #require(encoder.fitted(whole))
    #expect(fitted.tokens == [1] + whole.tokens.suffix(5))
    #expect(fitted.trainedCount == min(5, whole.trainedCount) && fitted.trained.last?.upperBound == 6)
    #expect(fitted.promptCount == 6 - fitted.trainedCount)
  }

  @Test func pairsAreTruncatedAlike() throws {
    let example = Self.example(.preference(prompt: .plain("abcd"), chosen: .plain("xy"), rejected: .plain("xz12")))
    func fitted(_ length: Int, _ truncation: Truncation) throws -> [String]? {
      let encoder = try ByteModel.encoder(maximumLength: length, truncation: truncation)
      return encoder.fitted(try encoder.encodePair(example)).map {
        [ByteModel.shown($0.chosen), ByteModel.shown($0.rejected)]
      }
    }
    #expect(try fitted(9, .keepStart) == ["abcd⟦xy<|endoftext|>⟧", "abcd⟦xz12<|endoftext|>⟧"])
    #expect(try fitted(6, .keepStart) == ["abcd⟦xy⟧", "abcd⟦xz⟧"])
    // Only the common "x" would be left: the pair would teach nothing.
    #expect(try fitted(5, .keepStart) == nil)
    #expect(try fitted(7, .keepEnd) == ["cd⟦xy<|endoftext|>⟧", "cd⟦xz12<|endoftext|>⟧"])
    #expect(try fitted(5, .keepEnd) == nil)
  }
}

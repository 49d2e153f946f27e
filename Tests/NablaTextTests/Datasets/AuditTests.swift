import Foundation
import NablaFormats
import NablaTemplates
import NablaText
import Testing

@Suite struct AuditTests {
  static func example(_ content: DatasetExample.Content, line: Int = 1) -> DatasetExample {
    DatasetExample(content, place: DatasetPlace(file: "d.jsonl", line: line))
  }

  static func audit(_ contents: [DatasetExample.Content], _ encoder: ExampleEncoder) -> DatasetAudit {
    DatasetAudit(
      Dataset(contents.enumerated().map { example($1, line: $0 + 1) }, files: ["d.jsonl"]), encoder)
  }

  static let chat: DatasetExample.Content = .messages([EncodingTests.question, EncodingTests.reply])

  @Test func soundDataShowsOneExample() throws {
    let audit = Self.audit([Self.chat, .messages([EncodingTests.question])], try ByteModel.encoder(ByteModel.chat))
    #expect(!audit.isSound)
    let sound = Self.audit([Self.chat], try ByteModel.encoder(ByteModel.chat, maximumLength: 100))
    #expect(sound.isSound && sound.findings.isEmpty && sound.exampleCount == 1, "\(sound.findings)")
    #expect(sound.samples.map(\.place.line) == [1])
    let parts = sound.samples[0].parts
    #expect(parts.map(\.text) == ["<|im_start|>user\nHi é?<|im_end|>\n<|im_start|>assistant\n", "Yo<|im_end|>"])
    #expect(parts.map(\.isTrained) == [false, true] && parts.map(\.tokenCount) == [25, 3])
    let text = sound.text()
    for line in [
      "d.jsonl, line 1 (28 tokens):", "  masked  | <|im_start|>user", "  masked  | Hi é?<|im_end|>",
      "  learned | Yo<|im_end|>", "examples          1 (messages, as messages)",
      "maximum length    100: 0 truncated, 0 dropped",
      "special tokens    BOS <|im_start|> (257), EOS <|endoftext|> (256), PAD <|endoftext|> (256)",
    ] {
      #expect(text.split(separator: "\n").contains { $0 == line }, "\(line)\n\(text)")
    }
    #expect(sound.text(colored: true).contains("learned | \u{1B}[1;32mYo<|im_end|>\u{1B}[0m"))
    #expect(sound.json["sound"] == true && sound.json["trained_tokens"]?["total"] == 3)
    #expect(sound.json["samples"]?.array?[0]["parts"]?.array?[1]["text"] == "Yo<|im_end|>")
  }

  /// A template, examples, and what is found in which lines.
  static let findings: [(template: String?, contents: [DatasetExample.Content], DatasetAudit.Kind, lines: [Int])] = [
    (ByteModel.chat, [chat, .messages([EncodingTests.question])], .nothingToLearn, [2]),
    (nil, [.text("a"), .text("")], .nothingToLearn, []),
    (nil, [.text("")], .nothingToLearn, []),
    // The end token stands outside what is marked.
    (
      "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}<|im_end|>{% endfor %}",
      [chat], .endNotLearned, [1]
    ),
    // There is no end token.
    (
      "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}",
      [chat], .endNotLearned, [1]
    ),
    ("<|im_start|>" + ByteModel.chat, [chat], .doubledBeginning, [1]),
    (nil, [.text("<|im_start|>a"), .text("<|im_start|><|im_start|>a")], .doubledBeginning, [2]),
    // The role system is left out.
    (
      ByteModel.chat.replacing("{% for m in messages %}", with: "{% for m in messages if m.role != 'system' %}"),
      [.messages([EncodingTests.said("system", " Be kind. "), EncodingTests.question, EncodingTests.reply]), chat],
      .messageLeftOut, [1]
    ),
    ("{{ raise_exception('no') }}", [chat], .cannotEncode, [1]),
    (nil, [chat], .cannotEncode, [1]),
    (
      ByteModel.chat, [chat, .messages([EncodingTests.question, EncodingTests.said("assistant", "")])], .emptyMessage,
      [2]
    ),
    (nil, [.completion(prompt: .plain(""), completion: .plain("x"))], .emptyPrompt, [1]),
    (nil, [.completion(prompt: .plain("x"), completion: .plain(""))], .emptyCompletion, [1]),
    (nil, [.preference(prompt: .plain("x"), chosen: .plain("a"), rejected: .plain(""))], .emptyCompletion, [1]),
    (nil, [.preference(prompt: .plain("x"), chosen: .plain("a"), rejected: .plain("a"))], .equalPair, [1]),
    (nil, [.text("ab"), .text("cd"), .text("ab")], .duplicate, [3]),
    (
      ByteModel.chat, [.messages([EncodingTests.said("user", "a<|im_end|>b"), EncodingTests.reply])],
      .controlTokenInText, [1]
    ),
    ("{{ strftime_now('%Y') }}" + ByteModel.chat, [chat], .changingTemplate, [1]),
  ]

  @Test(arguments: findings.indices)
  func whatIsWrongIsFoundWithItsLines(_ index: Int) throws {
    let (template, contents, kind, lines) = Self.findings[index]
    let audit = Self.audit(contents, try ByteModel.encoder(template))
    if lines.isEmpty {
      // An empty text has its end token, which nothing stands before.
      #expect(audit.findings.contains { $0.kind == kind }, "\(audit.findings)")
    } else {
      let finding = try #require(audit.findings.first { $0.kind == kind }, "\(audit.findings)")
      #expect(finding.places.map(\.line) == lines && finding.count == lines.count)
      #expect(audit.findings.allSatisfy { $0.kind == kind }, "\(audit.findings)")
      let word = kind.isFatal ? "error" : "warning"
      #expect(audit.text().contains("\(word): \(kind.rawValue) (\(lines.count)): "))
      #expect(audit.text().contains("  at d.jsonl, line \(lines[0])"))
    }
    #expect(audit.isSound == !kind.isFatal)
  }

  /// SmolLM2's template begins with a system message of its own; Qwen's reasoning is left out of earlier turns.
  @Test func theDefaultSystemPromptIsShown() throws {
    func template(_ name: String) throws -> DatasetAudit.TemplateFacts? {
      let source = try String(contentsOfFile: Fixtures.package + "/Tests/Fixtures/chat/\(name).jinja", encoding: .utf8)
      return Self.audit([Self.chat], try ByteModel.encoder(source)).template
    }
    #expect(
      try template("smollm2")?.defaultSystemPrompt
        == "You are a helpful AI assistant named SmolLM, trained by Hugging Face")
    #expect(try template("qwen2.5")?.defaultSystemPrompt?.hasPrefix("You are Qwen") == true)
    #expect(try template("zephyr")?.defaultSystemPrompt == nil)
    #expect(try template("qwen3")?.defaultSystemPrompt == nil)
    #expect(try template("llama3.2")?.showsDate == true && template("llama3")?.showsDate == false)
  }

  @Test func rowsBeyondTheMaximumAreCounted() throws {
    let contents: [DatasetExample.Content] = [
      .completion(prompt: .plain("abcdef"), completion: .plain("x")),
      .completion(prompt: .plain("ab"), completion: .plain("xyzxyz")),
      .completion(prompt: .plain("ab"), completion: .plain("x")),
    ]
    let audit = Self.audit(contents, try ByteModel.encoder(nil, maximumLength: 5))
    #expect(audit.droppedCount == 1 && audit.truncatedCount == 1 && audit.isSound)
    #expect((audit.lengths.minimum, audit.lengths.median, audit.lengths.maximum, audit.lengths.total) == (4, 8, 9, 21))
    #expect(!Self.audit([contents[0]], try ByteModel.encoder(nil, maximumLength: 5)).isSound)
  }

  /// Text from a file cannot write to the terminal.
  @Test func controlCharactersAreSpelled() throws {
    let audit = Self.audit([.text("a\u{1B}[2Jb\u{202E}")], try ByteModel.encoder(nil))
    #expect(audit.text().contains("b\\u{202e}") && audit.text().contains("\\u{1b}[2J"))
  }
}

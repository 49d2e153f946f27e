import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import Testing

/// A conversation that fills the context, and one with a model that has no template.
@Suite struct ChatSessionTests {
  /// A model of 64 positions over bytes, saved with a template of one byte a role, and read again.
  private func withModel(template: String?, _ body: (TrainedModel) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let model = lively(configuration(vocabulary: 257, context: 64))
      try ModelFolder.save(model, tokenizer: ByteTokenizer(), to: folder)
      if let template { try AtomicFile.write(template, to: folder + "/chat_template.jinja") }
      try body(try TrainedModel(folder, precision: .float32))
    }
  }

  private static let template =
    "{% for m in messages %}{{ 'u' if m.role == 'user' else 'o' }}{{ m.content }}{% endfor %}"

  /// Sends a message and takes the answer, of which the test decides the length.
  private func answer(_ chat: inout ChatSession, _ message: String) throws -> Completion {
    let stream = try chat.send(message)
    // To its end: finishing cancels what has not ended.
    while try stream.next() != nil {}
    return try chat.finish(stream)
  }

  @Test func theOldestTurnsAreDropped() throws {
    try withModel(template: Self.template) { trained in
      var chat = ChatSession(trained, system: "S")
      chat.maximumTokens = 4
      var dropped: [Int] = []
      for turn in 0..<8 {
        let completion = try answer(&chat, "message \(turn)")
        dropped.append(chat.droppedCount)
        let text = chat.messages.reduce(0) { $0 + 1 + $1.content.utf8.count } - completion.text.utf8.count - 1
        #expect(completion.promptCount == text && completion.promptCount + 4 <= 64, "turn \(turn)")
        #expect(chat.messages.first?.role == "system" && chat.messages[1].role == "user")
        #expect(chat.messages[chat.messages.count - 2].content == "message \(turn)")
      }
      // A turn is two messages; the system's stays.
      #expect(dropped[0] == 0 && dropped.last! >= 6 && dropped.allSatisfy { $0 % 2 == 0 })
      #expect(dropped == dropped.sorted())
    }
  }

  /// One that is too long alone drops nothing: the conversation stays as it was.
  @Test func aMessageThatIsTooLongDropsNothing() throws {
    try withModel(template: Self.template) { trained in
      var chat = ChatSession(trained)
      chat.maximumTokens = 4
      _ = try answer(&chat, "a")
      let before = chat.messages
      let long = String(repeating: "x", count: 70)
      #expect(throws: GenerationError.self) { _ = try chat.send(long) }
      #expect(chat.messages == before && chat.droppedCount == 0)
    }
  }

  /// Without a template the model reads the text of all messages, one after the other.
  @Test func aModelWithoutATemplateContinuesTheText() throws {
    try withModel(template: nil) { trained in
      var options = SamplingOptions()
      options.temperature = 0
      var generator = trained.generator(options: options)
      var chat = ChatSession(trained, generator: generator)
      #expect(chat.continuesText)
      chat.maximumTokens = 3
      let first = try answer(&chat, "ab\n")
      let second = try answer(&chat, "cd\n")
      let prompt = "ab\n" + first.text + "cd\n"
      let expected = try generator.run(prompt: prompt, maximumTokens: 3)[0].tokens
      #expect(expected == second.tokens)
    }
  }
}

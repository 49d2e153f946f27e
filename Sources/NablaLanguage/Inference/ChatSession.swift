import NablaText

/// A conversation with a model. What the model has read stays in its engine's cache, so that a turn costs
/// only what is new.
///
/// ```swift
/// var chat = ChatSession(trained, system: "Be brief.")
/// let answer = try chat.send("Hello!")
/// for try await piece in answer { print(piece.text, terminator: "") }
/// try chat.finish(answer)
/// ```
public struct ChatSession {
  public private(set) var messages: [ChatMessage]
  public var generator: TextGenerator
  /// The most tokens of an answer.
  public var maximumTokens = 1024
  private let text: PretrainedTokenizer
  private let system: String?

  /// - Parameter system: what the model is told before the conversation; nil for what its template says by itself.
  public init(_ trained: TrainedModel, system: String? = nil, generator: TextGenerator? = nil) {
    text = trained.text
    self.system = system
    self.generator = generator ?? trained.generator()
    messages = Self.opening(system)
  }

  private static func opening(_ system: String?) -> [ChatMessage] {
    system.map { [ChatMessage(role: "system", content: $0)] } ?? []
  }

  /// Begins an answer to a user's message. End it with ``finish(_:)`` before the next one.
  ///
  /// - Throws: `ChatTemplateError` where the model has no chat template, or one that refuses the conversation;
  ///   ``GenerationError`` where the conversation fills the context. The conversation is then as it was before.
  public mutating func send(_ message: String) throws -> GenerationStream {
    let extended = messages + [ChatMessage(role: "user", content: message)]
    let prompt = try text.encode(extended)
    let answer = try generator.start(prompts: [prompt], maximumTokens: maximumTokens)[0]
    messages = extended
    return answer
  }

  /// Takes an answer, as far as it has come, into the conversation.
  ///
  /// - Returns: the answer, which is cancelled where it had not ended.
  /// - Throws: what ended the answer, if that was an error: the conversation is then as it was before its message.
  @discardableResult
  public mutating func finish(_ answer: GenerationStream) throws(GenerationError) -> Completion {
    answer.cancel()
    do {
      let completion = try answer.completion()
      messages.append(ChatMessage(role: "assistant", content: completion.text))
      return completion
    } catch {
      messages.removeLast()
      throw error
    }
  }

  /// Forgets the conversation.
  public mutating func reset() { messages = Self.opening(system) }
}

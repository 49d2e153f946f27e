import NablaText

/// A conversation with a model. Earlier turns stay in the engine's cache, so that a turn costs
/// only its new tokens.
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
  /// Maximum new tokens of an answer.
  public var maximumTokens = 1024
  private let text: PretrainedTokenizer
  private let system: String?

  /// - Parameter system: the system prompt; nil for the template's default.
  public init(_ trained: TrainedModel, system: String? = nil, generator: TextGenerator? = nil) {
    text = trained.text
    self.system = system
    self.generator = generator ?? trained.generator()
    messages = Self.opening(system)
  }

  private static func opening(_ system: String?) -> [ChatMessage] {
    system.map { [ChatMessage(role: "system", content: $0)] } ?? []
  }

  /// Starts an answer to a user's message. End it with ``finish(_:)`` before the next one.
  ///
  /// - Throws: `ChatTemplateError` if the model has no chat template, or one that rejects the conversation;
  ///   ``GenerationError`` if the conversation fills the context. The conversation is then unchanged.
  public mutating func send(_ message: String) throws -> GenerationStream {
    let extended = messages + [ChatMessage(role: "user", content: message)]
    let prompt = try text.encode(extended)
    let answer = try generator.start(prompts: [prompt], maximumTokens: maximumTokens)[0]
    messages = extended
    return answer
  }

  /// Adds an answer, as far as generated, to the conversation.
  ///
  /// - Returns: the answer, which is canceled if it had not ended.
  /// - Throws: the error that ended the answer, if any: the conversation is then as before its message.
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

  /// Resets the conversation.
  public mutating func reset() { messages = Self.opening(system) }
}

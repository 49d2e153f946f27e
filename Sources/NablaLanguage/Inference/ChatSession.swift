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
///
/// A model without a chat template has learned no turns: it continues the text of all messages, one after the other.
public struct ChatSession {
  public private(set) var messages: [ChatMessage]
  public var generator: TextGenerator
  /// Maximum new tokens of an answer.
  public var maximumTokens = 1024
  /// Messages that ``send(_:)`` has left out for good, the oldest, so that the others and an answer fit the context.
  public private(set) var droppedCount = 0
  /// Whether the model has no chat template.
  public let continuesText: Bool
  private let text: PretrainedTokenizer
  private let system: String?
  /// Before the message that is being answered.
  private var before: (messages: [ChatMessage], droppedCount: Int) = ([], 0)

  /// - Parameters:
  ///   - trained: a model with a chat template; without one the text is continued.
  ///   - system: the system prompt; nil for the template's default.
  ///   - generator: samples the answers; nil for one with the model's recommended options.
  public init(_ trained: TrainedModel, system: String? = nil, generator: TextGenerator? = nil) {
    text = trained.text
    continuesText = trained.text.chatTemplates.isEmpty
    self.system = system
    self.generator = generator ?? trained.generator()
    messages = Self.opening(system)
  }

  private static func opening(_ system: String?) -> [ChatMessage] {
    system.map { [ChatMessage(role: "system", content: $0)] } ?? []
  }

  /// Starts an answer to a user's message. End it with ``finish(_:)`` before the next one. If the conversation fills the
  /// context, its oldest turns are dropped; the remaining ones leave room for an answer, a quarter of the context.
  ///
  /// - Throws: `ChatTemplateError` if the template rejects the conversation; ``GenerationError`` if the message alone
  ///   fills the context. The conversation is then unchanged.
  public mutating func send(_ message: String) throws -> GenerationStream {
    var extended = messages + [ChatMessage(role: "user", content: message)]
    var prompt = try tokens(of: extended)
    let context = generator.engine.context
    let room = min(maximumTokens, context / 4)
    var dropped = 0
    while prompt.count + room > context, let turn = Self.oldestTurn(extended) {
      extended.removeSubrange(turn)
      dropped += turn.count
      prompt = try tokens(of: extended)
    }
    let answer = try generator.start(prompts: [prompt], maximumTokens: maximumTokens, continuing: continuesText)[0]
    before = (messages, droppedCount)
    (messages, droppedCount) = (extended, droppedCount + dropped)
    return answer
  }

  /// The first message of a user and what follows up to the next; nil if that is the last.
  private static func oldestTurn(_ messages: [ChatMessage]) -> Range<Int>? {
    let users = messages.indices.filter { messages[$0].role == "user" }
    return users.count > 1 ? users[0]..<users[1] : nil
  }

  private func tokens(of messages: [ChatMessage]) throws -> [Int32] {
    guard continuesText else { return try text.encode(messages) }
    return text.tokenizer.template.prefix + (try text.tokenizer.encode(messages.map(\.content).joined()))
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
      (messages, droppedCount) = before
      throw error
    }
  }

  /// Resets the conversation.
  public mutating func reset() { messages = Self.opening(system) }
}

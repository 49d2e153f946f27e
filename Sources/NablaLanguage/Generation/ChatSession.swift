import NablaText

/// A conversation with a model. What the model has read stays in its cache, so that a turn costs only what is new.
///
/// ```swift
/// var chat = ChatSession(trained, system: "Be brief.")
/// let answer = try chat.send("Hello!")
/// while let pieces = try answer.next() { for piece in pieces { print(piece.text, terminator: "") } }
/// chat.finish(answer)
/// ```
public struct ChatSession {
  public private(set) var messages: [ChatMessage]
  public var generator: Generator
  /// The most tokens of an answer.
  public var maximumTokens = 1024
  private let text: PretrainedTokenizer
  private let system: String?

  /// - Parameter system: what the model is told before the conversation; nil for what its template says by itself.
  public init(_ trained: TrainedModel, system: String? = nil, generator: Generator? = nil) {
    text = trained.text
    self.system = system
    self.generator = generator ?? trained.generator()
    self.generator.tokens.keepsPrefix = true
    messages = Self.opening(system)
  }

  private static func opening(_ system: String?) -> [ChatMessage] {
    system.map { [ChatMessage(role: "system", content: $0)] } ?? []
  }

  /// Begins an answer to a user's message. End it with ``finish(_:)`` before the next one.
  ///
  /// - Throws: `ChatTemplateError` where the model has no chat template, or one that refuses the conversation;
  ///   ``GenerationError`` where the conversation fills the context. The conversation is then as it was before.
  public mutating func send(_ message: String) throws -> TextGeneration {
    let extended = messages + [ChatMessage(role: "user", content: message)]
    let prompt = try text.encode(extended)
    let answer = try generator.start(prompts: [prompt], maximumTokens: maximumTokens)
    messages = extended
    return answer
  }

  /// Takes an answer, whole or cancelled, into the conversation.
  public mutating func finish(_ answer: TextGeneration) {
    answer.cancel()
    messages.append(ChatMessage(role: "assistant", content: answer.completions[0].text))
  }

  /// Forgets the conversation.
  public mutating func reset() { messages = Self.opening(system) }
}

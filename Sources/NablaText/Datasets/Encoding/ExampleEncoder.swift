import NablaFormats
import NablaTemplates

/// Encodes examples as tokens and decides which of them are learned.
///
/// - Of text, all tokens are learned; of a prompt and completion, the completion; of a conversation, the assistant's
///   turns, end-of-turn tokens included.
/// - The prompt's tokens are the same as at inference: prompt and completion are encoded separately and
///   concatenated, so that no merge crosses the boundary. The same holds at the ends of the assistant's turns.
/// - Plain text begins with the tokens that the tokenizer adds (`<s>`), once, and ends with the end-of-text token,
///   once. A conversation has those that its template writes.
///
/// ```swift
/// let encoder = ExampleEncoder(try .load("model.gguf"), maximumLength: 512)
/// let encoded = try encoder.encode(dataset[0])
/// encoded.lossMask
/// ```
public struct ExampleEncoder: Sendable {
  public let pretrained: PretrainedTokenizer
  /// The chat template; nil when the model has none.
  public let template: ChatTemplate?
  /// Longer examples are truncated; nil for no limit.
  public var maximumLength: Int?
  public var truncation: Truncation
  /// Whether to train on what a template writes after the end token of an answer, such as a line feed, as TRL does.
  /// Generation stops at the end token, so by default such tokens are masked, and dropped at the end of an example.
  public var keepsTail: Bool
  /// Additional variables for the template, such as `enable_thinking`.
  public var templateVariables: JSONObject
  /// Seconds since 1970 that a template's `strftime_now` shows; nil for now. It must be fixed for a run to be
  /// resumable.
  public var date: Int?

  /// - Parameters:
  ///   - pretrained: Tokenizer, special tokens and chat template.
  ///   - template: Overrides the model's own; ``Transcript/template`` is for models without one.
  ///   - maximumLength: Of a sequence in tokens; nil for no limit.
  ///   - truncation: Which side of a long example is kept.
  ///   - keepsTail: Whether what a template writes after the end of an answer is learned too.
  ///   - templateVariables: Further variables of the template, such as `enable_thinking`.
  ///   - date: Seconds since 1970 that the template shows; nil for now.
  /// - Throws: `ChatTemplateError` if the template is not supported.
  public init(
    _ pretrained: PretrainedTokenizer, template: String? = nil, maximumLength: Int? = nil,
    truncation: Truncation = .keepStart, keepsTail: Bool = false, templateVariables: JSONObject = JSONObject(),
    date: Int? = nil
  ) throws(ChatTemplateError) {
    precondition(maximumLength ?? 2 >= 2, "ExampleEncoder: maximumLength \(maximumLength!) must be at least 2")
    self.pretrained = pretrained
    if let template {
      self.template = try ChatTemplate(template)
    } else {
      self.template = try pretrained.chatTemplate()
    }
    self.maximumLength = maximumLength
    self.truncation = truncation
    self.keepsTail = keepsTail
    self.templateVariables = templateVariables
    self.date = date
  }

  public var tokenizer: any Tokenizer { pretrained.tokenizer }
  /// The token that ends plain text.
  public var endOfText: Int32? { pretrained.id(of: "eos_token") ?? tokenizer.endOfText }
  /// Tokens at which generation stops.
  public var endTokens: Set<Int32> { pretrained.endTokens.union(endOfText.map { [$0] } ?? []) }

  /// A whole example, before truncation to ``maximumLength``. Of a preference pair the chosen completion is learned.
  ///
  /// - Throws: ``DatasetError`` that names the place.
  public func encode(_ example: DatasetExample) throws -> EncodedExample {
    switch example.content {
    case .text(let text):
      let start = try beginning(of: text, example.place)
      return finished(start, learnedFrom: 0, promptCount: 0, example.place)
    case .messages(let messages):
      return try encode(prompt: [], completion: messages, example)
    case .completion(let prompt, let completion), .preference(let prompt, let completion, _):
      return try encode(prompt: prompt, completion: completion, example)
    case .prompt:
      throw DatasetError(example.place, problem: "the row has only a prompt: there is nothing to learn")
    }
  }

  /// A whole preference pair; the tokens of the prompt are the same in both.
  ///
  /// - Throws: ``DatasetError`` that names the place, also when the example is not a pair.
  public func encodePair(_ example: DatasetExample) throws -> EncodedPair {
    guard case .preference(let prompt, let chosen, let rejected) = example.content else {
      throw DatasetError(
        example.place, problem: "expected \"chosen\" and \"rejected\", found the shape \(example.shape.rawValue)")
    }
    return EncodedPair(
      chosen: try encode(prompt: prompt, completion: chosen, example),
      rejected: try encode(prompt: prompt, completion: rejected, example), place: example.place)
  }

  /// The input tokens at inference: the prompt with the generation prompt. For a conversation
  /// it is everything before the last assistant turn.
  ///
  /// - Throws: ``DatasetError`` that names the place.
  public func encodePrompt(_ example: DatasetExample) throws -> [Int32] {
    switch example.content {
    case .text:
      throw DatasetError(example.place, problem: "expected a prompt, found the shape \(example.shape.rawValue)")
    case .messages(let messages):
      let end = messages.lastIndex { $0.role == "assistant" } ?? messages.count
      return try promptTokens(.conversation(Array(messages[..<end])), answeredBy: "assistant", example)
    case .completion(let prompt, let completion), .preference(let prompt, let completion, _):
      return try promptTokens(prompt, answeredBy: Self.firstRole(completion), example)
    case .prompt(let prompt): return try promptTokens(prompt, answeredBy: "assistant", example)
    }
  }

  private static func firstRole(_ text: DatasetText) -> String? {
    if case .conversation(let messages) = text { messages.first?.role } else { nil }
  }

  private func promptTokens(
    _ prompt: DatasetText, answeredBy role: String?, _ example: DatasetExample
  ) throws -> [Int32] {
    switch prompt {
    case .plain(let text): return try beginning(of: text, example.place)
    case .conversation(let messages):
      return try tokens(try render(messages, addGenerationPrompt: role == "assistant", example).text, example.place)
    }
  }

  private func encode(
    prompt: DatasetText, completion: DatasetText, _ example: DatasetExample
  ) throws -> EncodedExample {
    switch (prompt, completion) {
    case (.plain(let prompt), .plain(let completion)):
      let start = try beginning(of: prompt, example.place)
      let rest = try tokens(completion, after: start.last, example.place)
      return finished(start + rest, learnedFrom: start.count, promptCount: start.count, example.place)
    case (.conversation(let prompt), .conversation(let completion)):
      return try encode(prompt: prompt, completion: completion, example)
    default: preconditionFailure("ExampleEncoder: a prompt and completion of which only one is a conversation")
    }
  }

  // MARK: Plain text

  /// The tokens of the beginning of a text, preceded by those that the tokenizer adds, unless the text already has
  /// them.
  private func beginning(of text: String, _ place: DatasetPlace) throws -> [Int32] {
    let prefix = tokenizer.template.prefix
    let ids = try tokens(text, place)
    return ids.starts(with: prefix) ? ids : prefix + ids
  }

  /// Text with its end token, unless the text already has it.
  private func finished(
    _ tokens: [Int32], learnedFrom start: Int, promptCount: Int, _ place: DatasetPlace
  ) -> EncodedExample {
    var tokens = tokens
    if let end = endOfText, tokens.last != end || tokens.count == promptCount { tokens.append(end) }
    let first = max(start, 1)
    return EncodedExample(
      tokens: tokens, trained: first < tokens.count ? [first..<tokens.count] : [], promptCount: promptCount,
      place: place)
  }

  func tokens(_ text: String, after previous: Int32? = nil, _ place: DatasetPlace) throws -> [Int32] {
    do {
      return try tokenizer.encode(text, recognizingSpecialTokens: true, after: previous)
    } catch {
      throw DatasetError(place, problem: "\(error)")
    }
  }
}

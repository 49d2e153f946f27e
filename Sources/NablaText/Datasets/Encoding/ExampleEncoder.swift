import NablaFormats
import NablaTemplates

/// Turns examples into tokens and decides which of them are learned.
///
/// - Text is learned whole. Of a prompt and completion the completion is learned, of a conversation what the assistant
///   says, its end-of-turn token included.
/// - The prompt's tokens are those the model is given when it answers: prompt and completion are encoded on their own
///   and joined, so that no merge moves the boundary. The same holds at the ends of an assistant's turns.
/// - Plain text begins with the tokens that the tokenizer wants (`<s>`), once, and ends with the end-of-text token, once.
///   A conversation has those that its template writes.
///
/// ```swift
/// let encoder = ExampleEncoder(try .load("model.gguf"), maximumLength: 512)
/// let encoded = try encoder.encode(dataset[0])
/// encoded.lossMask
/// ```
public struct ExampleEncoder: Sendable {
  public let pretrained: PretrainedTokenizer
  /// What writes conversations; nil when the model has none.
  public let template: ChatTemplate?
  /// Longer examples are truncated; nil for no limit.
  public var maximumLength: Int?
  public var truncation: Truncation
  /// Whether to train on what a template writes after the end token of an answer, such as a line end, as TRL does. A
  /// model is stopped at the end token, so by default such tokens are masked, and left out at the end of an example.
  public var keepsTail: Bool
  /// Further variables of the template, such as `enable_thinking`.
  public var templateVariables: JSONObject
  /// Seconds since 1970 that a template's `strftime_now` shows; nil for now. A run that resumes needs it fixed.
  public var date: Int?

  /// - Parameter template: Instead of the model's own; ``Transcript/template`` suits models that have none.
  /// - Throws: ``ChatTemplateError`` when the template is not one that can be run.
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
  /// Tokens at which a model stops.
  public var endTokens: Set<Int32> { pretrained.endTokens.union(endOfText.map { [$0] } ?? []) }

  /// An example whole, before it is fitted to ``maximumLength``. Of a preference pair the chosen completion is learned.
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
      throw DatasetError(example.place, problem: "the row has a prompt only: there is nothing to learn")
    }
  }

  /// A preference pair whole; the tokens of the prompt are the same in both.
  ///
  /// - Throws: ``DatasetError`` that names the place, also when the example is no pair.
  public func encodePair(_ example: DatasetExample) throws -> EncodedPair {
    guard case .preference(let prompt, let chosen, let rejected) = example.content else {
      throw DatasetError(
        example.place, problem: "expected \"chosen\" and \"rejected\", found the shape \(example.shape.rawValue)")
    }
    return EncodedPair(
      chosen: try encode(prompt: prompt, completion: chosen, example),
      rejected: try encode(prompt: prompt, completion: rejected, example), place: example.place)
  }

  /// The tokens that a model is given so that it answers: the prompt with the beginning of an answer. Of a
  /// conversation it is all before the last turn of the assistant.
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
    default: preconditionFailure("ExampleEncoder: a prompt and completion of which one only is a conversation")
    }
  }

  // MARK: Plain text

  /// The tokens of the beginning of a text, with the tokenizer's own before them, unless the text spells them out.
  private func beginning(of text: String, _ place: DatasetPlace) throws -> [Int32] {
    let prefix = tokenizer.template.prefix
    let ids = try tokens(text, place)
    return ids.starts(with: prefix) ? ids : prefix + ids
  }

  /// Text with its end token, unless the text spells it out.
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

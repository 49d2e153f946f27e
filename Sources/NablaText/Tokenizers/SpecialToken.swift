/// A token that stands for itself: its spelling is matched whole before anything else looks at the text.
public struct SpecialToken: Sendable, Equatable {
  /// The usual spelling of the token that ends a document (GPT-2).
  public static let endOfText = "<|endoftext|>"

  public let content: String
  public let id: Int32
  /// Whether the token controls the model rather than being text, and is left out of text shown to people
  /// (`special` in `tokenizer.json`).
  public let isControl: Bool
  /// How its spelling is looked for.
  public let matching: Matching

  public struct Matching: Sendable, Equatable {
    /// Only where no letter, digit or underscore touches it (`single_word`).
    public var isWholeWord = false
    /// The white space before it belongs to it (`lstrip`).
    public var takesSpaceBefore = false
    /// The white space after it belongs to it (`rstrip`).
    public var takesSpaceAfter = false
    /// It is looked for in the text as the tokenizer has normalized it (`normalized`).
    public var isNormalized = false

    public init() {}
  }

  public init(content: String, id: Int32, isControl: Bool = true, matching: Matching = Matching()) {
    precondition(!content.isEmpty, "SpecialToken: the content of token \(id) is empty")
    self.content = content
    self.id = id
    self.isControl = isControl
    self.matching = matching
  }
}

extension SpecialToken {
  /// Control tokens with the ids `first`, `first + 1`, ….
  ///
  /// Each must be different and longer than one character: a vocabulary of bytes or characters has those already.
  static func numbered(_ contents: [String], from first: Int32) -> [SpecialToken] {
    precondition(
      Set(contents.map { Array($0.utf8) }).count == contents.count
        && contents.allSatisfy { $0.unicodeScalars.count > 1 },
      "special tokens must be different, and longer than one character: \(contents)")
    return contents.enumerated().map { SpecialToken(content: $1, id: first + Int32($0)) }
  }
}

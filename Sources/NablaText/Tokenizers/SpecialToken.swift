/// A token that is matched literally in the text, before tokenization.
public struct SpecialToken: Sendable, Equatable {
  /// The usual end-of-text token (GPT-2).
  public static let endOfText = "<|endoftext|>"

  public let content: String
  public let id: Int32
  /// Whether the token controls the model rather than being text, and is skipped in text shown to people
  /// (`special` in `tokenizer.json`).
  public let isControl: Bool
  /// How it is matched.
  public let matching: Matching

  public struct Matching: Sendable, Equatable {
    /// Only where no letter, digit or underscore is adjacent (`single_word`).
    public var isWholeWord = false
    /// It absorbs the whitespace before it (`lstrip`).
    public var takesSpaceBefore = false
    /// It absorbs the whitespace after it (`rstrip`).
    public var takesSpaceAfter = false
    /// It is matched in the normalized text (`normalized`).
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

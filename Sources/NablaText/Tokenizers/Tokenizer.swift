/// Text to token ids and back.
///
/// ```swift
/// let tokenizer = ByteTokenizer()
/// let ids = try tokenizer.encode("Hi")          // [72, 105]
/// tokenizer.decode(ids)                          // "Hi"
/// ```
///
/// A tokenizer is a value: encoding keeps no state between calls, so one may be shared by any number of threads.
public protocol Tokenizer: Sendable {
  /// One more than the largest token id, which is the number of rows an embedding needs.
  var vocabularySize: Int { get }

  /// Tokens that are matched literally and never split or merged, such as `<|endoftext|>`.
  var specialTokens: SpecialTokens { get }

  /// The tokens that the model expects around a text; none for most tokenizers.
  var template: TokenTemplate { get }

  /// The token ids of `text`, without those of `template`.
  ///
  /// - Parameters:
  ///   - text: Of any length.
  ///   - recognizingSpecialTokens: Whether the text of a control token in `text` becomes that token (as in Hugging
  ///     Face) or is encoded as ordinary characters. Pass `false` for untrusted text.
  /// - Throws: ``TokenizerError`` when the vocabulary cannot express a character.
  func encode(_ text: String, recognizingSpecialTokens: Bool) throws -> [Int32]

  /// As ``encode(_:recognizingSpecialTokens:)`` for text that continues after the token `previous`: no token is
  /// merged across the boundary, and nothing is prepended that belongs only at the beginning of a text or word.
  func encode(_ text: String, recognizingSpecialTokens: Bool, after previous: Int32?) throws -> [Int32]

  /// Appends the bytes of `id`; for a special token, its text. Appends nothing when no token
  /// has this id, which happens when a model's vocabulary is padded beyond the tokenizer's.
  func appendBytes(of id: Int32, to bytes: inout [UInt8])

  /// Appends what `id` adds to a decoded text. Tokens of some vocabularies differ at its beginning: there the
  /// space of `▁Hello` was added by the tokenizer itself.
  func appendText(of id: Int32, isFirst: Bool, to bytes: inout [UInt8])

  /// The content of a Hugging Face `tokenizer.json` that gives the same ids.
  func tokenizerJSON() -> String
}

extension Tokenizer {
  public var template: TokenTemplate { TokenTemplate() }

  public func encode(_ text: String, recognizingSpecialTokens: Bool, after previous: Int32?) throws -> [Int32] {
    try encode(text, recognizingSpecialTokens: recognizingSpecialTokens)
  }

  public func appendText(of id: Int32, isFirst: Bool, to bytes: inout [UInt8]) { appendBytes(of: id, to: &bytes) }

  /// The token ids of `text`, with the tokens that the model expects around it (``template``) when
  /// `addingSpecialTokens`.
  public func encode(
    _ text: String, recognizingSpecialTokens: Bool = true, addingSpecialTokens: Bool
  ) throws -> [Int32] {
    let ids = try encode(text, recognizingSpecialTokens: recognizingSpecialTokens)
    return addingSpecialTokens ? template.prefix + ids + template.suffix : ids
  }

  /// The token ids of `text`, in which the texts of special tokens become those tokens.
  public func encode(_ text: String) throws -> [Int32] {
    try encode(text, recognizingSpecialTokens: true)
  }

  /// The text of `ids`. Bytes that are not UTF-8 become U+FFFD, one for each maximal invalid part.
  public func decode(_ ids: some Sequence<Int32>, skippingSpecialTokens: Bool = false) -> String {
    var bytes: [UInt8] = []
    var isFirst = true
    for id in ids where !skippingSpecialTokens || !specialTokens.isControl(id) {
      appendText(of: id, isFirst: isFirst, to: &bytes)
      // An id that no token has is not the first of the text.
      if isFirst { isFirst = self.bytes(of: id).isEmpty }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The bytes of `id`; empty when no token has this id.
  public func bytes(of id: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    appendBytes(of: id, to: &bytes)
    return bytes
  }

  /// A human-readable token: its text, with U+FFFD for a fragment of a character.
  public func piece(_ id: Int32) -> String {
    String(decoding: bytes(of: id), as: UTF8.self)
  }

  /// The id of `<|endoftext|>`, which ends a document, when there is one.
  public var endOfText: Int32? {
    specialTokens.id(of: SpecialToken.endOfText)
  }

  /// Bytes of text that each id represents, indexed by id: the denominator of bits per byte. Special tokens count 0,
  /// as they are not part of the text.
  public func byteCounts() -> [Int32] {
    (0..<Int32(vocabularySize)).map { specialTokens.contains($0) ? 0 : Int32(bytes(of: $0).count) }
  }
}

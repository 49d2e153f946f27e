/// Decodes tokens as a model generates them, and never shows a partial character.
///
/// A token of a byte-level vocabulary may end in the middle of a UTF-8 sequence. Such bytes are held back until the
/// rest arrives. The strings returned, joined, equal ``Tokenizer/decode(_:skippingSpecialTokens:)`` of all tokens, or
/// what they add to it if they continue a text.
public struct StreamingDecoder: Sendable {
  private let tokenizer: any Tokenizer
  private let skipsSpecialTokens: Bool
  private var held: [UInt8] = []
  private var isFirst: Bool

  /// - Parameters:
  ///   - tokenizer: decodes the tokens.
  ///   - skippingSpecialTokens: whether control tokens are left out of the text.
  ///   - continuing: whether the tokens continue a text, so that a space before their first word is part of the output.
  ///     Decoders of SentencePiece's kind drop it at the beginning of a text.
  public init(_ tokenizer: any Tokenizer, skippingSpecialTokens: Bool = true, continuing: Bool = false) {
    self.tokenizer = tokenizer
    skipsSpecialTokens = skippingSpecialTokens
    isFirst = !continuing
  }

  /// The text that `id` completes; empty when it ends inside a character.
  public mutating func append(_ id: Int32) -> String {
    if skipsSpecialTokens && tokenizer.specialTokens.isControl(id) { return "" }
    tokenizer.appendText(of: id, isFirst: isFirst, to: &held)
    if isFirst { isFirst = tokenizer.bytes(of: id).isEmpty }
    let complete = held.count - Self.unfinishedCount(held)
    let text = String(decoding: held[..<complete], as: UTF8.self)
    held.removeFirst(complete)
    return text
  }

  /// The text held back, once no more tokens follow: U+FFFD for an incomplete character, or nothing.
  public mutating func finish() -> String {
    defer { held = [] }
    return String(decoding: held, as: UTF8.self)
  }

  /// How many bytes at the end may be the beginning of a longer sequence (0 to 3).
  ///
  /// Splitting just before a lead byte never changes how the bytes on either side decode, so holding back too much
  /// (a lead byte whose continuation is already wrong) costs a delay and not a wrong character.
  private static func unfinishedCount(_ bytes: [UInt8]) -> Int {
    for count in 1...3 where count <= bytes.count {
      let byte = bytes[bytes.count - count]
      if byte & 0b1100_0000 == 0b1000_0000 { continue }
      let length =
        byte >= 0xF0 && byte < 0xF5 ? 4 : byte >= 0xE0 && byte < 0xF0 ? 3 : byte >= 0xC2 && byte < 0xE0 ? 2 : 1
      return length > count ? count : 0
    }
    return 0
  }
}

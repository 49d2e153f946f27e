/// SentencePiece's treatment of spaces: a space is a visible character (▁, U+2581) that belongs to the word after it,
/// and one may be prepended to a text, so that a word is the same piece wherever it occurs.
public struct Metaspace: Sendable, Equatable {
  public enum Prepending: String, Sendable {
    /// Before every segment of text that does not begin with one.
    case always
    /// Only at the beginning of the text.
    case first
    case never
  }

  /// The usual replacement of a space.
  public static let mark = "\u{2581}"

  public var prepending: Prepending
  /// Whether the text is split before every mark, so that no piece spans two words.
  public var splits: Bool
  /// Whether the text is first split into words at whitespace, which is removed (`WhitespaceSplit`).
  public var dropsWhitespace: Bool

  public init(prepending: Prepending = .always, splits: Bool = true, dropsWhitespace: Bool = false) {
    self.prepending = prepending
    self.splits = splits
    self.dropsWhitespace = dropsWhitespace
  }

  private static let markBytes = Array(mark.utf8)

  /// Calls `body` with each word of `text`.
  func forEachWord(
    in text: UnsafeBufferPointer<UInt8>, isAtStart: Bool, _ body: (UnsafeBufferPointer<UInt8>) throws -> Void
  ) rethrows {
    if !dropsWhitespace { return try forEachMarked(in: text, isAtStart: isAtStart, body) }
    var position = 0
    while position < text.count {
      let start = WordScan.endOfRun(.space, in: text, from: position)
      var end = start
      while end < text.count {
        let (found, length) = CharacterClassifier.classify(text, at: end)
        if found == .space { break }
        end += length
      }
      if end > start {
        let word = UnsafeBufferPointer(rebasing: text[start..<end])
        try forEachMarked(in: word, isAtStart: isAtStart && start == 0, body)
      }
      position = end
    }
  }

  private func forEachMarked(
    in text: UnsafeBufferPointer<UInt8>, isAtStart: Bool, _ body: (UnsafeBufferPointer<UInt8>) throws -> Void
  ) rethrows {
    var marked: [UInt8] = []
    marked.reserveCapacity(text.count + 8)
    let begins = text.first == UInt8(ascii: " ") || text.starts(with: Self.markBytes)
    if prepending == .always || (prepending == .first && isAtStart), !begins { marked += Self.markBytes }
    for byte in text { if byte == UInt8(ascii: " ") { marked += Self.markBytes } else { marked.append(byte) } }
    try marked.withUnsafeBufferPointer { bytes in
      if !splits { return try body(bytes) }
      var start = 0
      for position in bytes.indices.dropFirst()
      where bytes[position] == Self.markBytes[0] && bytes[position...].starts(with: Self.markBytes) {
        try body(UnsafeBufferPointer(rebasing: bytes[start..<position]))
        start = position
      }
      try body(UnsafeBufferPointer(rebasing: bytes[start...]))
    }
  }
}

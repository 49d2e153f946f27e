import NablaFormats
import NablaTemplates

/// Finds the prompt of a pair in which each side is a whole conversation.
enum CommonPrompt {
  /// The common prefix and the two remainders, none of them empty; nil when there is no common prefix.
  ///
  /// For conversations it consists of whole messages. For plain text it ends before whitespace, so that no word is
  /// split.
  static func split(
    _ chosen: DatasetText, _ rejected: DatasetText
  ) -> (prompt: DatasetText, chosen: DatasetText, rejected: DatasetText)? {
    switch (chosen, rejected) {
    case (.conversation(let a), .conversation(let b)):
      // Each side keeps one message, even if both are the same or one only continues the other.
      let count = min(zip(a, b).prefix { $0 == $1 }.count, a.count - 1, b.count - 1)
      if count <= 0 { return nil }
      return (
        .conversation(Array(a[..<count])), .conversation(Array(a[count...])), .conversation(Array(b[count...]))
      )
    case (.plain(let a), .plain(let b)):
      let (a, b) = (Array(a.utf8), Array(b.utf8))
      var end = min(zip(a, b).prefix { $0 == $1 }.count, a.count - 1, b.count - 1)
      func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (9...13).contains(byte) }
      while end > 0, !(isSpace(a[end]) && isSpace(b[end])) || isSpace(a[end - 1]) { end -= 1 }
      if end <= 0 { return nil }
      func text(_ bytes: ArraySlice<UInt8>) -> DatasetText { .plain(String(decoding: bytes, as: UTF8.self)) }
      return (text(a[..<end]), text(a[end...]), text(b[end...]))
    default: return nil
    }
  }
}

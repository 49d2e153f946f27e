extension Tokenizer {
  /// The token ids of `text`, and the range of its UTF-8 bytes for each.
  ///
  /// A space that the tokenizer itself adds before a word is in no range; whitespace that a special token absorbs
  /// is in that token's. The ranges are in order and together they are the whole text.
  ///
  /// - Throws: ``TokenizerError``, also when the tokenizer normalizes the text (lowercasing, say),
  ///   so that tokens have no offsets in it.
  public func encodeWithOffsets(
    _ text: String, recognizingSpecialTokens: Bool = true
  ) throws -> [(id: Int32, bytes: Range<Int>)] {
    let ids = try encode(text, recognizingSpecialTokens: recognizingSpecialTokens)
    return try text.withUTF8Bytes { text in
      var position = 0
      var result: [(id: Int32, bytes: Range<Int>)] = []
      result.reserveCapacity(ids.count)
      for id in ids {
        let start = position
        let token = bytes(of: id)
        if let matching = specialTokens.token(id)?.matching {
          if matching.takesSpaceBefore { position = WordScan.endOfRun(.space, in: text, from: position) }
          guard text[position...].starts(with: token) else { throw TokenizerError.changedText(offset: position) }
          position += token.count
          if matching.takesSpaceAfter { position = WordScan.endOfRun(.space, in: text, from: position) }
        } else if text[position...].starts(with: token) {
          position += token.count
        } else if token.first == UInt8(ascii: " "), text[position...].starts(with: token.dropFirst()) {
          position += token.count - 1
        } else {
          throw TokenizerError.changedText(offset: position)
        }
        result.append((id, start..<position))
      }
      if position < text.count { throw TokenizerError.changedText(offset: position) }
      return result
    }
  }
}

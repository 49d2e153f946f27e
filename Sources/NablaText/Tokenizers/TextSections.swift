extension SpecialTokens {
  /// As ``walk(_:recognizing:normalizer:firstNormalizer:ordinary:special:)`` with one normalizer for all segments.
  func walk(
    _ text: UnsafeBufferPointer<UInt8>, recognizing: Bool, normalizer: Normalizer?,
    ordinary: (UnsafeBufferPointer<UInt8>, _ isAtStart: Bool) throws -> Void, special: (Int32) -> Void
  ) rethrows {
    try walk(
      text, recognizing: recognizing, normalizer: normalizer, firstNormalizer: normalizer, ordinary: ordinary,
      special: special)
  }

  /// Processes `text` like a tokenizer: control tokens are matched in the original text, the rest is
  /// normalized, and tokens for normalized text are matched there.
  ///
  /// - Parameters:
  ///   - firstNormalizer: The normalizer of a segment at the beginning of `text`.
  ///   - ordinary: Receives each normalized segment between special tokens (never empty), and whether it is at the
  ///     beginning of `text`.
  ///   - special: Receives the id of each special token.
  func walk(
    _ text: UnsafeBufferPointer<UInt8>, recognizing: Bool, normalizer: Normalizer?, firstNormalizer: Normalizer?,
    ordinary: (UnsafeBufferPointer<UInt8>, _ isAtStart: Bool) throws -> Void, special: (Int32) -> Void
  ) rethrows {
    try splitAsWritten(text, recognizing: recognizing) { range in
      func rest(_ bytes: UnsafeBufferPointer<UInt8>) throws {
        try splitNormalized(
          bytes, recognizing: recognizing,
          ordinary: { part in
            try ordinary(UnsafeBufferPointer(rebasing: bytes[part]), range.lowerBound == 0 && part.lowerBound == 0)
          }, special: special)
      }
      let section = UnsafeBufferPointer(rebasing: text[range])
      guard let normalizer = range.lowerBound == 0 ? firstNormalizer : normalizer else { return try rest(section) }
      try normalizer.normalized(section).withUnsafeBufferPointer { try rest($0) }
    } special: {
      special($0)
    }
  }
}

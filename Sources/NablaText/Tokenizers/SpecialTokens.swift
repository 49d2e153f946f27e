/// The special tokens of a vocabulary, and the search for them in text.
public struct SpecialTokens: Sendable, RandomAccessCollection {
  private let tokens: [SpecialToken]
  private let indexOfID: [Int32: Int]
  /// Indices of the tokens matched in the original text, and in the normalized text.
  private let asWritten: ByteTrie
  private let normalized: ByteTrie

  /// - Parameter tokens: With different texts and ids.
  public init(_ tokens: [SpecialToken] = []) { self.init(tokens, normalizer: nil) }

  /// - Parameter normalizer: The tokenizer's; tokens that are matched after it are themselves normalized.
  init(_ tokens: [SpecialToken], normalizer: Normalizer?) {
    self.tokens = tokens
    indexOfID = Dictionary(tokens.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    var asWritten = TokenBytes()
    var normalized = TokenBytes()
    for token in tokens {
      let content = Array(token.content.utf8)
      let isNormalized = token.matching.isNormalized
      asWritten.append(isNormalized ? [] : content)
      normalized.append(isNormalized ? content.withUnsafeBufferPointer { normalizer?.normalized($0) ?? content } : [])
    }
    self.asWritten = ByteTrie(asWritten)
    self.normalized = ByteTrie(normalized)
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { tokens.count }
  public subscript(index: Int) -> SpecialToken { tokens[index] }

  public func contains(_ id: Int32) -> Bool { indexOfID[id] != nil }

  public func token(_ id: Int32) -> SpecialToken? { indexOfID[id].map { tokens[$0] } }

  public func id(of content: String) -> Int32? {
    // Bytes, not String equality: Unicode would treat two encodings of the same accented letter as equal.
    tokens.first { $0.content.utf8.elementsEqual(content.utf8) }?.id
  }

  /// Whether `id` is a token that decoding may leave out.
  public func isControl(_ id: Int32) -> Bool { token(id)?.isControl ?? false }

  /// Calls `ordinary` with each segment of `text` between special tokens (never empty) and `special` with the id of
  /// each special token, in order. With `recognizing` false control tokens are part of the segments; tokens that
  /// are text still match.
  ///
  /// Tokens that are matched in normalized text come second, in the remaining segments; here the text is assumed
  /// to be normalized.
  package func split(
    _ text: UnsafeBufferPointer<UInt8>, recognizing: Bool,
    ordinary: (Range<Int>) throws -> Void, special: (Int32) -> Void
  ) rethrows {
    try split(text, by: asWritten, recognizing) { range in
      if normalized.isEmpty { return try ordinary(range) }
      try splitNormalized(
        UnsafeBufferPointer(rebasing: text[range]), recognizing: recognizing,
        ordinary: { try ordinary(($0.lowerBound + range.lowerBound)..<($0.upperBound + range.lowerBound)) },
        special: special)
    } special: {
      special($0)
    }
  }

  /// The first half of ``split(_:recognizing:ordinary:special:)``: tokens that are matched before normalization.
  func splitAsWritten(
    _ text: UnsafeBufferPointer<UInt8>, recognizing: Bool, ordinary: (Range<Int>) throws -> Void,
    special: (Int32) -> Void
  ) rethrows {
    try split(text, by: asWritten, recognizing, ordinary: ordinary, special: special)
  }

  /// The second half: tokens that are matched in normalized text.
  func splitNormalized(
    _ text: UnsafeBufferPointer<UInt8>, recognizing: Bool, ordinary: (Range<Int>) throws -> Void,
    special: (Int32) -> Void
  ) rethrows {
    try split(text, by: normalized, recognizing, ordinary: ordinary, special: special)
  }

  /// The leftmost match, and of those that begin there the longest; then the next after it.
  private func split(
    _ text: UnsafeBufferPointer<UInt8>, by trie: ByteTrie, _ recognizing: Bool,
    ordinary: (Range<Int>) throws -> Void, special: (Int32) -> Void
  ) rethrows {
    var start = 0
    var search = 0
    while let (match, index) = trie.firstMatch(in: text, from: search) {
      search = match.upperBound
      let token = tokens[Int(index)]
      if token.isControl && !recognizing { continue }
      let matching = token.matching
      if matching.isWholeWord, isWordCharacter(before: match.lowerBound, text) || isWordCharacter(at: search, text) {
        continue
      }
      var lower = match.lowerBound
      if matching.takesSpaceBefore { lower = startOfSpace(before: lower, notBefore: start, text) }
      if lower > start { try ordinary(start..<lower) }
      special(token.id)
      start = search
      if matching.takesSpaceAfter { start = WordScan.endOfRun(.space, in: text, from: start) }
      search = Swift.max(search, start)
    }
    if start < text.count { try ordinary(start..<text.count) }
  }

  private func startOfSpace(before end: Int, notBefore start: Int, _ text: UnsafeBufferPointer<UInt8>) -> Int {
    var position = end
    while position > start, let previous = startOfCharacter(before: position, text),
      CharacterClassifier.classify(text, at: previous).class == .space
    {
      position = previous
    }
    return position
  }

  private func isWordCharacter(before end: Int, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
    startOfCharacter(before: end, text).map { isWordCharacter(at: $0, text) } ?? false
  }

  /// `\w`: letters, marks, digits and connectors.
  private func isWordCharacter(at position: Int, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
    position < text.count && CharacterClassifier.isWord(decodeScalar(text, at: position).scalar)
  }

  private func startOfCharacter(before end: Int, _ text: UnsafeBufferPointer<UInt8>) -> Int? {
    if end == 0 { return nil }
    var position = end - 1
    while text[position] & 0xC0 == 0x80 { position -= 1 }
    return position
  }
}

extension String {
  /// Runs `body` on the UTF-8 of this string.
  func withUTF8Bytes<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
    var copy = self
    return try copy.withUTF8(body)
  }
}

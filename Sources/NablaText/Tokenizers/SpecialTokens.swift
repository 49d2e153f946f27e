/// A token that stands for itself: its spelling is matched whole before anything else looks at the text.
public struct SpecialToken: Sendable, Equatable {
  /// The usual spelling of the token that ends a document (GPT-2).
  public static let endOfText = "<|endoftext|>"

  public let content: String
  public let id: Int32
  /// Whether the token controls the model rather than being text, and is left out of text shown to people
  /// (`special` in `tokenizer.json`).
  public let isControl: Bool

  public init(content: String, id: Int32, isControl: Bool = true) {
    precondition(!content.isEmpty, "SpecialToken: the content of token \(id) is empty")
    self.content = content
    self.id = id
    self.isControl = isControl
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

/// The special tokens of a vocabulary, and the search for them in text.
public struct SpecialTokens: Sendable, RandomAccessCollection {
  private let tokens: [SpecialToken]
  private let indexOfID: [Int32: Int]
  /// Spellings by first byte, longest first, so that the first that matches is the longest.
  private let spellings: [UInt8: [(bytes: [UInt8], id: Int32)]]
  private let isFirstByte: [Bool]

  public init(_ tokens: [SpecialToken] = []) {
    self.tokens = tokens
    indexOfID = Dictionary(tokens.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    var spellings: [UInt8: [(bytes: [UInt8], id: Int32)]] = [:]
    for token in tokens {
      let bytes = Array(token.content.utf8)
      spellings[bytes[0], default: []].append((bytes, token.id))
    }
    self.spellings = spellings.mapValues { $0.sorted { $0.bytes.count > $1.bytes.count } }
    isFirstByte = (0..<256).map { spellings[UInt8($0)] != nil }
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { tokens.count }
  public subscript(index: Int) -> SpecialToken { tokens[index] }

  public func contains(_ id: Int32) -> Bool { indexOfID[id] != nil }

  public func token(_ id: Int32) -> SpecialToken? { indexOfID[id].map { tokens[$0] } }

  public func id(of content: String) -> Int32? {
    // Bytes, not String equality: Unicode would call two spellings of the same accented letter equal.
    tokens.first { $0.content.utf8.elementsEqual(content.utf8) }?.id
  }

  /// Whether `id` is a token that decoding may leave out.
  public func isControl(_ id: Int32) -> Bool { token(id)?.isControl ?? false }

  /// The first special token at or after `start`: the leftmost, and of those that begin there the longest.
  package func firstMatch(
    in text: UnsafeBufferPointer<UInt8>, from start: Int
  ) -> (range: Range<Int>, id: Int32)? {
    if tokens.isEmpty { return nil }
    return isFirstByte.withUnsafeBufferPointer { isFirst in
      for position in start..<text.count where isFirst[Int(text[position])] {
        for (bytes, id) in spellings[text[position]] ?? []
        where bytes.count <= text.count - position && zip(bytes, text[position...]).allSatisfy({ $0 == $1 }) {
          return (position..<(position + bytes.count), id)
        }
      }
      return nil
    }
  }

  /// Calls `ordinary` with each stretch of `text` between special tokens (never empty) and `special` with the id of
  /// each special token, in order. With `recognizing` false the whole text is one ordinary stretch.
  package func split(
    _ text: UnsafeBufferPointer<UInt8>, recognizing: Bool,
    ordinary: (Range<Int>) throws -> Void, special: (Int32) -> Void
  ) rethrows {
    var start = 0
    while recognizing, let (range, id) = firstMatch(in: text, from: start) {
      if start < range.lowerBound { try ordinary(start..<range.lowerBound) }
      special(id)
      start = range.upperBound
    }
    if start < text.count { try ordinary(start..<text.count) }
  }
}

extension String {
  /// Runs `body` on the UTF-8 of this string.
  func withUTF8Bytes<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
    var copy = self
    return try copy.withUTF8(body)
  }
}

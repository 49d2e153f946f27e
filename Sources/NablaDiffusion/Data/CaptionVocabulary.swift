/// The words of a set of captions. A word is a run of letters and digits, in lowercase.
public struct CaptionVocabulary: Sendable, Hashable, Codable {
  /// The number that means "no caption", for guidance.
  public static let none: Int32 = 0

  /// Word 1, word 2, …, in byte order.
  public let words: [String]
  private let numbers: [String: Int32]

  public init(captions: [String]) { self.init(words: Set(captions.flatMap(Self.split)).sorted()) }

  init(words: [String]) {
    self.words = words
    numbers = Dictionary(uniqueKeysWithValues: words.enumerated().map { ($1, Int32($0 + 1)) })
  }

  /// The words, and "no caption".
  public var count: Int { words.count + 1 }

  /// The words of a caption, by number; a caption without words is "no caption".
  ///
  /// - Throws: ``DiffusionError`` naming the words that are in no training caption.
  public func encode(_ caption: String) throws(DiffusionError) -> [Int32] {
    let parts = Self.split(caption)
    let unknown = parts.filter { numbers[$0] == nil }
    guard unknown.isEmpty else {
      throw .invalid(
        field: "caption",
        "unknown word\(unknown.count == 1 ? "" : "s") \(unknown.map { "\"\($0)\"" }.joined(separator: ", "))"
          + "; the model knows \(words.count) words, including \(words.prefix(8).joined(separator: ", "))")
    }
    return parts.isEmpty ? [Self.none] : parts.map { numbers[$0]! }
  }

  /// The same, where words in no training caption are left out.
  func encodeKnown(_ caption: String) -> [Int32] {
    let known = Self.split(caption).compactMap { numbers[$0] }
    return known.isEmpty ? [Self.none] : known
  }

  func knowsAll(of caption: String) -> Bool { Self.split(caption).allSatisfy { numbers[$0] != nil } }

  private static func split(_ caption: String) -> [String] {
    caption.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
  }

  public init(from decoder: any Decoder) throws {
    let words = try [String](from: decoder)
    guard Set(words).count == words.count else {
      throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "a word twice"))
    }
    self.init(words: words)
  }
  public func encode(to encoder: any Encoder) throws { try words.encode(to: encoder) }
}

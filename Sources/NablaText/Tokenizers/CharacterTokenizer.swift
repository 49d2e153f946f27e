/// One token per Unicode scalar, for the characters that occur in a corpus.
///
/// Special tokens come first, then the characters in the order of their code points. A character that is not in the
/// corpus is an error that names it: there is no "unknown" token that would silently lose text.
public struct CharacterTokenizer: Tokenizer {
  public let specialTokens: SpecialTokens
  public let vocabularySize: Int
  private let scalars: [Int32: Unicode.Scalar]
  private let idOfScalar: [Unicode.Scalar: Int32]
  /// Ids of the scalars below U+0080, -1 where there is none: the common case without hashing.
  private let idOfASCII: [Int32]

  /// A vocabulary of the characters in `texts`.
  /// - Throws: ``TokenizerError/emptyCorpus`` when `texts` have no characters.
  public init(corpus texts: some Sequence<String>, specialTokens: [String] = [SpecialToken.endOfText]) throws {
    var seen: Set<Unicode.Scalar> = []
    for text in texts { seen.formUnion(text.unicodeScalars) }
    guard !seen.isEmpty else { throw TokenizerError.emptyCorpus }
    let first = Int32(specialTokens.count)
    self.init(
      scalars: Dictionary(uniqueKeysWithValues: seen.sorted().enumerated().map { (first + Int32($0), $1) }),
      specialTokens: SpecialToken.numbered(specialTokens, from: 0))
  }

  package init(scalars: [Int32: Unicode.Scalar], specialTokens: [SpecialToken]) {
    self.scalars = scalars
    self.specialTokens = SpecialTokens(specialTokens)
    vocabularySize = 1 + Int(max(scalars.keys.max() ?? -1, specialTokens.map(\.id).max() ?? -1))
    idOfScalar = Dictionary(scalars.map { ($1, $0) }, uniquingKeysWith: min)
    let known = idOfScalar
    idOfASCII = (0..<128).map { known[Unicode.Scalar(UInt8($0))] ?? -1 }
  }

  public func encode(_ text: String, recognizingSpecialTokens: Bool) throws -> [Int32] {
    try text.withUTF8Bytes { bytes in
      var ids: [Int32] = []
      ids.reserveCapacity(bytes.count)
      try specialTokens.split(
        bytes, recognizing: recognizingSpecialTokens,
        ordinary: { range in
          var position = range.lowerBound
          while position < range.upperBound {
            let (scalar, length) = decodeScalar(bytes, at: position)
            let id = scalar.isASCII ? idOfASCII[Int(scalar.value)] : idOfScalar[scalar] ?? -1
            guard id >= 0 else { throw Self.unknown(scalar, at: position, in: bytes) }
            ids.append(id)
            position += length
          }
        },
        special: { ids.append($0) })
      return ids
    }
  }

  public func appendBytes(of id: Int32, to bytes: inout [UInt8]) {
    if let scalar = scalars[id] {
      bytes.append(contentsOf: UTF8.encode(scalar)!)
    } else if let token = specialTokens.token(id) {
      bytes.append(contentsOf: token.content.utf8)
    }
  }

  /// The characters with their ids, in the order of the ids.
  package var vocabulary: [(id: Int32, scalar: Unicode.Scalar)] {
    scalars.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  private static func unknown(
    _ scalar: Unicode.Scalar, at position: Int, in bytes: UnsafeBufferPointer<UInt8>
  ) -> TokenizerError {
    let before = String(decoding: bytes[..<position], as: UTF8.self).unicodeScalars
    let line = before.split(separator: "\n", omittingEmptySubsequences: false)
    return .unknownCharacter(scalar, offset: before.count, line: line.count, column: line.last!.count + 1)
  }
}

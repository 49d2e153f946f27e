import NablaFormats

/// The pieces of a vocabulary, its byte tokens and its unknown token.
struct PieceVocabulary: Sendable {
  /// Spelled with ▁ for a space; empty for ids that no text becomes (special, byte and unused ones).
  let pieces: TokenTable
  let unknown: Int32?
  /// Whether adjacent unknown characters become one unknown token.
  let fusesUnknown: Bool
  /// The token of each byte with byte fallback, otherwise empty.
  private let idOfByte: [Int32]
  private let byteOfID: [Int32: UInt8]

  /// - Parameter byteTokens: The ids of the byte tokens; nil when there is no byte fallback.
  init(pieces: TokenTable, unknown: Int32?, fusesUnknown: Bool, byteTokens: [UInt8: Int32]?) {
    self.pieces = pieces
    self.unknown = unknown
    self.fusesUnknown = fusesUnknown
    idOfByte = byteTokens.map { tokens in (0..<256).map { tokens[UInt8($0)] ?? -1 } } ?? []
    byteOfID = Dictionary((byteTokens ?? [:]).map { ($1, $0) }, uniquingKeysWith: min)
  }

  var fallsBackToBytes: Bool { !idOfByte.isEmpty }

  /// The byte that a byte token represents.
  func byte(of id: Int32) -> UInt8? { byteOfID[id] }

  var byteTokens: [UInt8: Int32] {
    Dictionary(uniqueKeysWithValues: idOfByte.enumerated().compactMap { $1 < 0 ? nil : (UInt8($0), $1) })
  }

  /// Appends the byte tokens of `characters`; false, and nothing appended, when the vocabulary lacks one.
  func appendBytes(_ characters: UnsafeBufferPointer<UInt8>, to ids: inout [Int32]) -> Bool {
    if idOfByte.isEmpty || characters.contains(where: { idOfByte[Int($0)] < 0 }) { return false }
    for byte in characters { ids.append(idOfByte[Int(byte)]) }
    return true
  }

  func unknownError(_ characters: UnsafeBufferPointer<UInt8>) -> TokenizerError {
    .unknownPiece(String(decoding: characters, as: UTF8.self))
  }

  /// The text of a byte's token in files.
  static func spelling(_ byte: UInt8) -> String {
    "<0x" + String(byte, radix: 16, uppercase: true).leftPadded(to: 2) + ">"
  }

  /// The byte that a token of the form `<0xHH>` represents.
  static func byte(spelledBy token: some Collection<UInt8>) -> UInt8? {
    guard token.count == 6, token.starts(with: "<0x".utf8), token.reversed().first == UInt8(ascii: ">") else {
      return nil
    }
    let digits = String(decoding: Array(token.dropFirst(3).prefix(2)), as: UTF8.self)
    return digits.utf8.first == UInt8(ascii: "+") ? nil : UInt8(digits, radix: 16)
  }
}

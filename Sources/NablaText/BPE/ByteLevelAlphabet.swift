/// GPT-2's way to write bytes as printable characters: bytes that are printable in Latin-1 stand for themselves, the
/// other 68 take U+0100, U+0101, … in order. A space is `Ġ`, a line feed `Ċ`.
///
/// Only files use this spelling; in memory tokens are bytes.
enum ByteLevelAlphabet {
  /// The character of each byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0..<256).map { (byte: UInt32) in
      if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte) {
        return Unicode.Scalar(UInt8(byte))
      }
      defer { next += 1 }
      return Unicode.Scalar(next)!
    }
  }()

  private static let byteOfScalar: [Unicode.Scalar: UInt8] =
    Dictionary(uniqueKeysWithValues: scalars.enumerated().map { ($1, UInt8($0)) })

  /// The bytes in the order of their characters, which is the order of the first 256 ids of a trained vocabulary.
  static let bytesInOrder: [UInt8] = (0..<256).map(UInt8.init).sorted { scalars[Int($0)] < scalars[Int($1)] }

  static func spelling(_ bytes: some Sequence<UInt8>) -> String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: bytes.lazy.map { scalars[Int($0)] })
    return String(text)
  }

  /// The bytes that `spelling` stands for, or nil when a character is not one of the 256.
  static func bytes(_ spelling: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(spelling.utf8.count)
    for scalar in spelling.unicodeScalars {
      guard let byte = byteOfScalar[scalar] else { return nil }
      bytes.append(byte)
    }
    return bytes
  }
}

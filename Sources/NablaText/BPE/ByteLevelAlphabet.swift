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

  /// The byte of each character, -1 for the others; the largest in the alphabet is U+0143.
  private static let byteOfScalar: [Int16] = {
    var table = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar.value)] = Int16(byte) }
    return table
  }()

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
    return spelling.withUTF8Bytes { append($0, to: &bytes) } ? bytes : nil
  }

  /// Appends the bytes that `spelling` stands for; false, and nothing appended, when a character is not one of the 256
  /// or is not UTF-8.
  static func append(_ spelling: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) -> Bool {
    let before = bytes.count
    return byteOfScalar.withUnsafeBufferPointer { table in
      var position = 0
      while position < spelling.count {
        // All of the alphabet is one or two bytes of UTF-8.
        let first = Int(spelling[position])
        var scalar = first
        position &+= 1
        if first >= 0x80 {
          let isPair = first < 0xE0 && position < spelling.count && spelling[position] & 0xC0 == 0x80
          scalar = isPair ? (first & 0x1F) << 6 | Int(spelling[position]) & 0x3F : table.count
          position &+= 1
        }
        guard scalar < table.count, table[scalar] >= 0 else {
          bytes.removeLast(bytes.count - before)
          return false
        }
        bytes.append(UInt8(truncatingIfNeeded: table[scalar]))
      }
      return true
    }
  }
}

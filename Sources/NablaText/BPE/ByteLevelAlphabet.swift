/// GPT-2's way to write bytes as printable characters: bytes that are printable in Latin-1 represent themselves,
/// the other 68 take U+0100, U+0101, … in order. A space is `Ġ`, a line feed `Ċ`.
///
/// Only files use this encoding; in memory tokens are bytes.
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

  /// The bytes that `spelling` encodes, or nil when a character is not one of the 256.
  static func bytes(_ spelling: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    return spelling.withUTF8Bytes { append($0, to: &bytes) } ? bytes : nil
  }

  /// Appends the bytes that `spelling` encodes; false, and nothing appended, when a character is not one of the 256
  /// or is not UTF-8.
  static func append(_ spelling: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) -> Bool {
    let before = bytes.count
    // A character is one or two bytes of UTF-8, and encodes one: the buffer is overwritten in place.
    bytes.append(contentsOf: spelling)
    let count = bytes.withUnsafeMutableBufferPointer { decode(spelling, to: $0.baseAddress! + before) }
    bytes.removeLast(spelling.count - (count ?? 0))
    return count != nil
  }

  /// Writes the bytes that `spelling` encodes, at most as many as it has, and returns how many; nil when a character
  /// is not one of the 256.
  static func decode(_ spelling: UnsafeBufferPointer<UInt8>, to output: UnsafeMutablePointer<UInt8>) -> Int? {
    byteOfScalar.withUnsafeBufferPointer { table in
      var position = 0
      var count = 0
      while position < spelling.count {
        var scalar = Int(spelling[position])
        position &+= 1
        if scalar >= 0x80 {
          guard (0xC2..<0xE0).contains(scalar), position < spelling.count, spelling[position] & 0xC0 == 0x80 else {
            return nil
          }
          scalar = (scalar & 0x1F) << 6 | Int(spelling[position]) & 0x3F
          position &+= 1
        }
        guard scalar < table.count, table[scalar] >= 0 else { return nil }
        output[count] = UInt8(truncatingIfNeeded: table[scalar])
        count &+= 1
      }
      return count
    }
  }
}

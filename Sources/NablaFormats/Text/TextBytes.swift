/// Helpers for decoding text files.
package enum TextBytes {
  /// The bytes without a byte order mark of UTF-8 (EF BB BF) at their beginning, as written by editors on Windows.
  package static func withoutMark<Bytes: Collection<UInt8>>(_ bytes: Bytes) -> Bytes.SubSequence {
    bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
  }

  /// The distance from the start of `bytes` to the first ill-formed sequence of UTF-8 (Unicode 16, table 3-7); the
  /// count when there is none.
  package static func firstInvalidByte(_ bytes: UnsafeRawBufferPointer.SubSequence) -> Int {
    var position = bytes.startIndex
    while position < bytes.endIndex {
      let first = bytes[position]
      let (length, second): (Int, ClosedRange<UInt8>) =
        switch first {
        case 0..<0x80: (1, 0x80...0xBF)
        case 0xC2...0xDF: (2, 0x80...0xBF)
        case 0xE0: (3, 0xA0...0xBF)
        case 0xED: (3, 0x80...0x9F)
        case 0xE1...0xEF: (3, 0x80...0xBF)
        case 0xF0: (4, 0x90...0xBF)
        case 0xF4: (4, 0x80...0x8F)
        case 0xF1...0xF3: (4, 0x80...0xBF)
        default: (0, 0x80...0xBF)
        }
      let isWhole =
        length > 0 && position + length <= bytes.endIndex
        && (length < 2 || second.contains(bytes[position + 1]))
        && bytes[min(position + 2, position + length)..<(position + length)].allSatisfy { $0 & 0xC0 == 0x80 }
      if !isWhole { break }
      position += length
    }
    return position - bytes.startIndex
  }
}

extension String {
  /// Left-padded with zeros to a length.
  package func leftPadded(to length: Int) -> String {
    String(repeating: "0", count: max(0, length - count)) + self
  }
}

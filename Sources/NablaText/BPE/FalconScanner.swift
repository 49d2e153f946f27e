/// The steps of Falcon around GPT-2's pattern. Those after it see text in which bytes are already spelled as characters,
/// and so may part the bytes of one character.
enum FalconScanner {
  /// A run of punctuation, ASCII symbols among it, or of all else.
  static func endOfPunctuation(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    let (isFirst, length) = isPunctuation(bytes, start)
    var position = start + length
    while position < bytes.count {
      let (found, length) = isPunctuation(bytes, position)
      if found != isFirst { break }
      position += length
    }
    return position
  }

  private static func isPunctuation(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int) -> (Bool, length: Int) {
    let (scalar, length) = decodeScalar(bytes, at: position)
    return (WordPieceTokenizer.isPunctuation(scalar), length)
  }

  /// A run of bytes that are spelled as digits, or of all others.
  static func endOfByteDigits(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    let isDigit = isSpelledAsDigit(bytes[start])
    return bytes[start...].firstIndex { isSpelledAsDigit($0) != isDigit } ?? bytes.count
  }

  /// 0-9, and the bytes whose character is ², ³, ¹, ¼, ½ or ¾.
  private static func isSpelledAsDigit(_ byte: UInt8) -> Bool {
    byte &- 0x30 < 10 || byte == 0xB2 || byte == 0xB3 || byte == 0xB9 || byte &- 0xBC < 3
  }

  /// Three digits, or all up to the next three.
  static func endOfTriple(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    func isTriple(at place: Int) -> Bool {
      place + 3 <= bytes.count && bytes[place..<place + 3].allSatisfy { $0 &- 0x30 < 10 }
    }
    if isTriple(at: start) { return start + 3 }
    return (start..<bytes.count).first(where: isTriple) ?? bytes.count
  }
}

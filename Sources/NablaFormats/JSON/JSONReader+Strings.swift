extension JSONReader {
  /// Reads a string and writes its unescaped value to `output`, as UTF-8.
  ///
  /// - Parameter output: Room for 8 bytes more than the string has in the text.
  /// - Returns: How many bytes were written.
  package mutating func readString(to output: UnsafeMutablePointer<UInt8>) throws(JSONError) -> Int {
    guard next == UInt8(ascii: "\"") else { throw failure("expected a string") }
    var place = position + 1
    var count = 0
    while place < bytes.count {
      if place &+ 8 <= bytes.count {
        let eight = eightBytes(at: place)
        let plain = Self.plainPrefix(eight)
        UnsafeMutableRawPointer(output + count).storeBytes(of: eight, as: UInt64.self)
        count &+= plain
        place &+= plain
        if plain == 8 { continue }
      }
      let byte = bytes[place]
      switch byte {
      case UInt8(ascii: "\""):
        position = place + 1
        return count
      case UInt8(ascii: "\\"):
        for unit in UTF8.encode(try readEscape(&place))! {
          output[count] = unit
          count &+= 1
        }
      case 0x00...0x1F: throw failure("a control character in a string must be escaped", at: place)
      case 0xC2...0xDF where place &+ 1 < bytes.count && bytes[place &+ 1] & 0xC0 == 0x80:
        // Common in byte-level vocabularies, which write most bytes this way.
        output[count] = byte
        output[count &+ 1] = bytes[place &+ 1]
        count &+= 2
        place &+= 2
      default:
        let length = byte < 0x80 ? 1 : lengthOfScalar(at: place)
        if length == 0 { throw failure("the string is not valid UTF-8", at: place) }
        for _ in 0..<length {
          output[count] = bytes[place]
          count &+= 1
          place &+= 1
        }
      }
    }
    throw failure("the string is not closed")
  }

  /// How many of eight bytes, from the first on, are ASCII characters that represent themselves in a string.
  @inline(__always)
  private static func plainPrefix(_ eight: UInt64) -> Int {
    let (ones, highs) = (0x0101_0101_0101_0101 as UInt64, 0x8080_8080_8080_8080 as UInt64)
    // The high bit of each byte that is 0; after the first such byte others may have it too.
    func zeros(_ x: UInt64) -> UInt64 { (x &- ones) & ~x }
    let quotes = zeros(eight ^ (ones &* UInt64(UInt8(ascii: "\""))))
    let backslashes = zeros(eight ^ (ones &* UInt64(UInt8(ascii: "\\"))))
    let controls = (eight &- ones &* 0x20) & ~eight
    return ((eight | quotes | backslashes | controls) & highs).trailingZeroBitCount / 8
  }

  package mutating func readString() throws(JSONError) -> String {
    var end = position + 1
    while end < bytes.count, bytes[end] != UInt8(ascii: "\"") { end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1 }
    // Eight more: reading a string writes eight bytes at a time.
    var text = [UInt8](repeating: 0, count: end - position + 8)
    let count = try text.withUnsafeMutableBufferPointer { (text) throws(JSONError) in
      try readString(to: text.baseAddress!)
    }
    return String(decoding: text[..<count], as: UTF8.self)
  }

  /// Reads a key and the colon after it.
  package mutating func readKey() throws(JSONError) -> String {
    let key = try readString()
    try readColon()
    return key
  }

  /// The bytes that `body` writes while it reads, at most as many as are left of the text. Memory that it does not
  /// write to is not taken.
  package mutating func collectingBytes(
    _ body: (inout JSONReader, _ output: UnsafeMutablePointer<UInt8>) throws(JSONError) -> Int
  ) throws(JSONError) -> [UInt8] {
    var problem: JSONError?
    let collected = [UInt8](unsafeUninitializedCapacity: bytes.count - position + 8) { buffer, count in
      do throws(JSONError) {
        count = try body(&self, buffer.baseAddress!)
      } catch {
        problem = error
      }
    }
    if let problem { throw problem }
    return collected
  }

  /// The length of the scalar beyond ASCII at `start`; 0 when the bytes there are not UTF-8 (Unicode, table 3-7).
  private func lengthOfScalar(at start: Int) -> Int {
    func continues(_ offset: Int, from lowest: UInt8 = 0x80, through highest: UInt8 = 0xBF) -> Bool {
      start &+ offset < bytes.count && bytes[start &+ offset] >= lowest && bytes[start &+ offset] <= highest
    }
    switch bytes[start] {
    case 0xC2...0xDF: return continues(1) ? 2 : 0
    case 0xE0: return continues(1, from: 0xA0) && continues(2) ? 3 : 0
    case 0xED: return continues(1, through: 0x9F) && continues(2) ? 3 : 0
    case 0xE1...0xEF: return continues(1) && continues(2) ? 3 : 0
    case 0xF0: return continues(1, from: 0x90) && continues(2) && continues(3) ? 4 : 0
    case 0xF1...0xF3: return continues(1) && continues(2) && continues(3) ? 4 : 0
    case 0xF4: return continues(1, through: 0x8F) && continues(2) && continues(3) ? 4 : 0
    default: return 0
    }
  }

  /// Reads an escape at `place`, and moves that to its end.
  private func readEscape(_ place: inout Int) throws(JSONError) -> Unicode.Scalar {
    let start = place
    guard start + 1 < bytes.count else { throw failure("the string is not closed", at: start) }
    let kind = bytes[start + 1]
    place += 2
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(kind)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let unit = try readFourHexDigits(&place)
      if let scalar = Unicode.Scalar(unit) { return scalar }
      // A high surrogate needs its low half; together they name one scalar.
      if unit < 0xDC00, place + 1 < bytes.count, bytes[place] == UInt8(ascii: "\\"),
        bytes[place + 1] == UInt8(ascii: "u")
      {
        place += 2
        let low = try readFourHexDigits(&place)
        if low >= 0xDC00, low <= 0xDFFF, let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)) {
          return scalar
        }
      }
      throw failure("half of a surrogate pair", at: start)
    default:
      throw failure("unknown escape", at: start)
    }
  }

  private func readFourHexDigits(_ place: inout Int) throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      let digit: UInt8
      switch place < bytes.count ? bytes[place] : nil {
      case let byte? where byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case let byte? where byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "f"):
        digit = (byte | 0x20) - UInt8(ascii: "a") + 10
      default: throw failure("expected four hexadecimal digits", at: place)
      }
      value = value << 4 | UInt32(digit)
      place += 1
    }
    return value
  }
}

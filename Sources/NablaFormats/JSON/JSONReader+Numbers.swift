extension JSONReader {
  /// Reads a number: an integer where it is written as one and fits in 64 bits, else the nearest `Double`.
  mutating func readNumber() throws(JSONError) -> JSONValue {
    let start = position
    if next == UInt8(ascii: "-") { position += 1 }
    let firstDigit = position
    try skipDigits()
    let digitCount = position - firstDigit
    if bytes[firstDigit] == UInt8(ascii: "0"), digitCount > 1 {
      throw failure("a number may not start with 0", at: start)
    }
    var isInteger = true
    if next == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      try skipDigits()
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      isInteger = false
      position += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      try skipDigits()
    }
    // 18 digits always fit. A vocabulary has a hundred thousand numbers, none longer.
    if isInteger, firstDigit == start, digitCount <= 18 {
      return .integer(bytes[start..<position].reduce(0) { $0 &* 10 &+ Int($1 &- UInt8(ascii: "0")) })
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let value = Int(text), !(value == 0 && text.hasPrefix("-")) { return .integer(value) }
    guard let value = Double(text), value.isFinite else { throw failure("the number is out of range", at: start) }
    return .number(value)
  }

  private mutating func skipDigits() throws(JSONError) {
    let start = position
    while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
    if position == start { throw failure("expected a digit") }
  }
}

extension JSONReader {
  /// Reads a number: an integer if it is written as one and fits in 64 bits, otherwise the nearest `Double`.
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
    var places = 0
    if next == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      try skipDigits()
      places = position - firstDigit - digitCount - 1
    }
    let hasExponent = next == UInt8(ascii: "e") || next == UInt8(ascii: "E")
    if hasExponent {
      isInteger = false
      position += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      try skipDigits()
    }
    // 18 digits always fit. A vocabulary has a hundred thousand numbers, few of them longer.
    if isInteger, firstDigit == start, digitCount <= 18 { return .integer(Int(digits(firstDigit..<position))) }
    if !isInteger, !hasExponent, digitCount + places <= 18 {
      let whole = firstDigit..<(firstDigit + digitCount)
      let value = Self.quotient(digits(whole, then: (whole.upperBound + 1)..<position), powerOfTen: places)
      return .number(firstDigit == start ? value : -value)
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let value = Int(text), !(value == 0 && text.hasPrefix("-")) { return .integer(value) }
    guard let value = Double(text), value.isFinite else { throw failure("the number is out of range", at: start) }
    return .number(value)
  }

  /// The number formed by two runs of digits.
  private func digits(_ first: Range<Int>, then second: Range<Int> = 0..<0) -> UInt64 {
    var number: UInt64 = 0
    for place in first { number = number &* 10 &+ UInt64(bytes[place] &- UInt8(ascii: "0")) }
    for place in second { number = number &* 10 &+ UInt64(bytes[place] &- UInt8(ascii: "0")) }
    return number
  }

  /// The `Double` nearest to `number / 10^power`, for powers up to 19.
  ///
  /// Both are shifted up to their highest bit, so that the quotient has 62 bits or more. What is left over makes it
  /// odd, and then rounding it to the 53 bits of a `Double` is as rounding the exact quotient.
  static func quotient(_ number: UInt64, powerOfTen power: Int) -> Double {
    if number == 0 { return 0 }
    let divisor = powersOfTen[power]
    let (up, divisorUp) = (number.leadingZeroBitCount, divisor.leadingZeroBitCount)
    let shifted = number << UInt64(up)
    let (quotient, rest) = (divisor << UInt64(divisorUp)).dividingFullWidth((shifted >> 1, shifted << 63))
    return Double(sign: .plus, exponent: divisorUp - up - 63, significand: Double(quotient | (rest == 0 ? 0 : 1)))
  }

  private static let powersOfTen: [UInt64] = (0..<19).reduce(into: [1]) { powers, _ in
    powers.append(powers.last! * 10)
  }

  @inline(__always)
  private mutating func skipDigits() throws(JSONError) {
    var end = position
    while end < bytes.count, bytes[end] &- UInt8(ascii: "0") <= 9 { end &+= 1 }
    if end == position { throw failure("expected a digit") }
    position = end
  }
}

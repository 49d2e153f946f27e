import NablaFormats

/// How Python spells values.
enum TemplateText {
  static func firstCharacter(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    Array(bytes.prefix(UTF8Text.scalar(bytes).length))
  }

  /// Python's `repr` of a string.
  static func quoted(_ bytes: [UInt8]) -> String {
    let usesDouble = bytes.contains(UInt8(ascii: "'")) && !bytes.contains(UInt8(ascii: "\""))
    let quote: Unicode.Scalar = usesDouble ? "\"" : "'"
    var text = String.UnicodeScalarView([quote])
    for scalar in UTF8Text.scalars(bytes) {
      switch scalar {
      case quote, "\\": text.append(contentsOf: ["\\", scalar])
      case "\n": text.append(contentsOf: "\\n".unicodeScalars)
      case "\r": text.append(contentsOf: "\\r".unicodeScalars)
      case "\t": text.append(contentsOf: "\\t".unicodeScalars)
      case _ where isPrintable(scalar): text.append(scalar)
      default:
        let (letter, width) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
        text.append(contentsOf: ("\\" + letter + String(scalar.value, radix: 16).leftPadded(to: width)).unicodeScalars)
      }
    }
    text.append(quote)
    return String(text)
  }

  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    case .spaceSeparator: scalar == " "
    default: true
    }
  }

  /// Python's spelling of a float: the shortest digits that read back the same, with an exponent below 1e-4 and from
  /// 1e16.
  static func number(_ value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
    // Swift's description has the same digits; only its layout differs.
    let text = abs(value).description
    let parts = text.split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let whole = String(mantissa[0])
    let fraction = mantissa.count > 1 ? String(mantissa[1]) : ""
    var exponent = (parts.count > 1 ? Int(parts[1]) ?? 0 : 0) + whole.count - 1
    var digits = Array((whole + fraction).utf8)
    while digits.count > 1, digits.first == UInt8(ascii: "0") {
      digits.removeFirst()
      exponent -= 1
    }
    while digits.count > 1, digits.last == UInt8(ascii: "0") { digits.removeLast() }
    let sign = value < 0 ? "-" : ""
    func spelled(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }
    if exponent < -4 || exponent >= 16 {
      let rest = digits.count > 1 ? "." + spelled(digits.dropFirst()) : ""
      let size = String(abs(exponent)).leftPadded(to: 2)
      return sign + spelled(digits.prefix(1)) + rest + (exponent < 0 ? "e-" : "e+") + size
    }
    if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + spelled(digits) }
    while digits.count < exponent + 2 { digits.append(UInt8(ascii: "0")) }
    return sign + spelled(digits[...exponent]) + "." + spelled(digits[(exponent + 1)...])
  }
}

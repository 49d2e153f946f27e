/// Python's string operations on UTF-8. Positions and lengths that a template sees count Unicode scalars, as Python's
/// do; `String` would count grapheme clusters and call canonically equivalent texts equal.
enum TemplateText {
  /// The length in bytes of the white space character at the start of `bytes`, nil when there is none.
  /// `bytes` must be valid UTF-8.
  static func whitespaceLength(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard let first = bytes.first else { return nil }
    if first < 0x80 {
      // Python counts the separators U+001C to U+001F as white space.
      return first == 0x20 || (9...13).contains(first) || (0x1C...0x1F).contains(first) ? 1 : nil
    }
    let (scalar, length) = scalar(bytes)
    return scalar.properties.isWhitespace ? length : nil
  }

  /// The scalar at the start of `bytes`, which must be valid UTF-8 and not empty.
  static func scalar(_ bytes: ArraySlice<UInt8>) -> (scalar: Unicode.Scalar, length: Int) {
    bytes.withUnsafeBufferPointer { decodeScalar($0, at: 0) }
  }

  /// Bytes of `bytes` up to its trailing white space.
  static func endWithoutWhitespace(_ bytes: ArraySlice<UInt8>) -> Int {
    var end = bytes.endIndex
    while end > bytes.startIndex {
      var start = end - 1
      while bytes[start] & 0xC0 == 0x80 { start -= 1 }
      if whitespaceLength(bytes[start..<end]) == nil { break }
      end = start
    }
    return end - bytes.startIndex
  }

  static func stripped(_ bytes: [UInt8], characters: [UInt8]?, left: Bool, right: Bool) -> [UInt8] {
    guard let characters else {
      var slice = bytes[...]
      if right { slice = slice.prefix(endWithoutWhitespace(slice)) }
      if left { while let length = whitespaceLength(slice) { slice = slice.dropFirst(length) } }
      return Array(slice)
    }
    let set = Set(scalars(characters))
    var parts = scalars(bytes)[...]
    if left { parts = parts.drop(while: set.contains) }
    if right { while let last = parts.last, set.contains(last) { parts.removeLast() } }
    return encode(parts)
  }

  static func scalars(_ bytes: [UInt8]) -> [Unicode.Scalar] {
    Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
  }

  static func encode(_ scalars: some Sequence<Unicode.Scalar>) -> [UInt8] {
    var bytes: [UInt8] = []
    for scalar in scalars { bytes.append(contentsOf: UTF8.encode(scalar)!) }
    return bytes
  }

  /// Number of Unicode scalars.
  static func length(_ bytes: [UInt8]) -> Int {
    bytes.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
  }

  static func firstCharacter(_ bytes: ArraySlice<UInt8>) -> [UInt8] { Array(bytes.prefix(scalar(bytes).length)) }

  /// Where `part` (not empty) begins in `bytes` at or after `start`. Knuth-Morris-Pratt, so that no text is slow.
  static func firstIndex(of part: [UInt8], in bytes: [UInt8], from start: Int = 0) -> Int? {
    var fallback = [0]
    var matched = 0
    for i in part.indices.dropFirst() {
      while matched > 0, part[i] != part[matched] { matched = fallback[matched - 1] }
      if part[i] == part[matched] { matched += 1 }
      fallback.append(matched)
    }
    matched = 0
    for i in bytes.indices.dropFirst(start) {
      while matched > 0, bytes[i] != part[matched] { matched = fallback[matched - 1] }
      if bytes[i] == part[matched] { matched += 1 }
      if matched == part.count { return i - part.count + 1 }
    }
    return nil
  }

  /// The parts of `bytes` between occurrences of `separator` (not empty), at most `limit` cuts made from the left.
  static func split(_ bytes: [UInt8], by separator: [UInt8], limit: Int = .max) -> [[UInt8]] {
    var parts: [[UInt8]] = []
    var start = 0
    while parts.count < limit, let at = firstIndex(of: separator, in: bytes, from: start) {
      parts.append(Array(bytes[start..<at]))
      start = at + separator.count
    }
    parts.append(Array(bytes[start...]))
    return parts
  }

  /// The words between runs of white space; with `limit` cuts the last part is the rest as it is.
  static func words(_ bytes: [UInt8], limit: Int = .max) -> [[UInt8]] {
    var parts: [[UInt8]] = []
    var rest = bytes[...]
    while true {
      while let length = whitespaceLength(rest) { rest = rest.dropFirst(length) }
      if rest.isEmpty { return parts }
      if parts.count == limit { return parts + [Array(rest.prefix(endWithoutWhitespace(rest)))] }
      var end = rest.startIndex
      while end < rest.endIndex, whitespaceLength(rest[end...]) == nil { end += scalar(rest[end...]).length }
      parts.append(Array(rest[..<end]))
      rest = rest[end...]
    }
  }

  static func replacing(_ bytes: [UInt8], _ old: [UInt8], with new: [UInt8], limit: Int = .max) -> [UInt8] {
    if old.isEmpty {
      // Python puts the new text between all characters.
      var result: [UInt8] = []
      var count = 0
      for scalar in scalars(bytes) {
        if count < limit { result += new }
        count += 1
        result.append(contentsOf: UTF8.encode(scalar)!)
      }
      return count < limit ? result + new : result
    }
    return Array(split(bytes, by: old, limit: limit).joined(separator: new))
  }

  static func mapped(_ bytes: [UInt8], _ change: (Unicode.Scalar) -> String) -> [UInt8] {
    if bytes.allSatisfy({ $0 < 0x80 }) {
      return bytes.flatMap { Array(change(Unicode.Scalar($0)).utf8) }
    }
    return scalars(bytes).flatMap { Array(change($0).utf8) }
  }

  static func lowercased(_ bytes: [UInt8]) -> [UInt8] { mapped(bytes) { $0.properties.lowercaseMapping } }
  static func uppercased(_ bytes: [UInt8]) -> [UInt8] { mapped(bytes) { $0.properties.uppercaseMapping } }

  /// Python's `repr` of a string.
  static func quoted(_ bytes: [UInt8]) -> String {
    let usesDouble = bytes.contains(UInt8(ascii: "'")) && !bytes.contains(UInt8(ascii: "\""))
    let quote: Unicode.Scalar = usesDouble ? "\"" : "'"
    var text = String.UnicodeScalarView([quote])
    for scalar in scalars(bytes) {
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

/// Python's string operations on UTF-8, which chat templates and tokenizers rely on. Lengths count Unicode scalars;
/// `String` would count grapheme clusters and call canonically equivalent texts equal.
package enum UTF8Text {
  /// The length in bytes of the whitespace character at the start of `bytes`, nil when there is none.
  /// `bytes` must be valid UTF-8.
  package static func whitespaceLength(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard let first = bytes.first else { return nil }
    if first < 0x80 {
      // Python counts the separators U+001C to U+001F as whitespace.
      return first == 0x20 || (9...13).contains(first) || (0x1C...0x1F).contains(first) ? 1 : nil
    }
    let (scalar, length) = scalar(bytes)
    return scalar.properties.isWhitespace ? length : nil
  }

  /// The scalar at the start of `bytes`, which must be valid UTF-8 and not empty.
  package static func scalar(_ bytes: ArraySlice<UInt8>) -> (scalar: Unicode.Scalar, length: Int) {
    let first = bytes[bytes.startIndex]
    if first < 0x80 { return (Unicode.Scalar(first), 1) }
    let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
    return (String(decoding: bytes.prefix(length), as: UTF8.self).unicodeScalars.first!, length)
  }

  /// The length of `bytes` without trailing whitespace.
  package static func endWithoutWhitespace(_ bytes: ArraySlice<UInt8>) -> Int {
    var end = bytes.endIndex
    while end > bytes.startIndex {
      var start = end - 1
      while bytes[start] & 0xC0 == 0x80 { start -= 1 }
      if whitespaceLength(bytes[start..<end]) == nil { break }
      end = start
    }
    return end - bytes.startIndex
  }

  package static func stripped(_ bytes: [UInt8], characters: [UInt8]?, left: Bool, right: Bool) -> [UInt8] {
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

  package static func scalars(_ bytes: [UInt8]) -> [Unicode.Scalar] {
    Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
  }

  package static func encode(_ scalars: some Sequence<Unicode.Scalar>) -> [UInt8] {
    var bytes: [UInt8] = []
    for scalar in scalars { bytes.append(contentsOf: UTF8.encode(scalar)!) }
    return bytes
  }

  /// Number of Unicode scalars.
  package static func length(_ bytes: [UInt8]) -> Int {
    bytes.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
  }

  /// Where `part` (not empty) begins in `bytes` at or after `start`. Knuth-Morris-Pratt, so that no input is slow.
  package static func firstIndex(of part: [UInt8], in bytes: [UInt8], from start: Int = 0) -> Int? {
    if part.count > bytes.count - start { return nil }
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

  /// How often `part` (not empty) occurs in `bytes`, without overlap.
  package static func count(of part: [UInt8], in bytes: [UInt8]) -> Int {
    if part.count == 1 { return bytes.count { $0 == part[0] } }
    var (count, start) = (0, 0)
    while let at = firstIndex(of: part, in: bytes, from: start) {
      count += 1
      start = at + part.count
    }
    return count
  }

  /// The parts of `bytes` between occurrences of `separator` (not empty), with at most `limit` splits from the left.
  package static func split(_ bytes: [UInt8], by separator: [UInt8], limit: Int = .max) -> [[UInt8]] {
    var parts: [[UInt8]] = []
    var start = 0
    while parts.count < limit, let at = firstIndex(of: separator, in: bytes, from: start) {
      parts.append(Array(bytes[start..<at]))
      start = at + separator.count
    }
    parts.append(Array(bytes[start...]))
    return parts
  }

  /// The words between runs of whitespace; after `limit` splits the last part is the unchanged rest.
  package static func words(_ bytes: [UInt8], limit: Int = .max) -> [[UInt8]] {
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

  package static func replacing(_ bytes: [UInt8], _ old: [UInt8], with new: [UInt8], limit: Int = .max) -> [UInt8] {
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

  package static func mapped(_ bytes: [UInt8], _ change: (Unicode.Scalar) -> String) -> [UInt8] {
    if bytes.allSatisfy({ $0 < 0x80 }) {
      return bytes.flatMap { Array(change(Unicode.Scalar($0)).utf8) }
    }
    return scalars(bytes).flatMap { Array(change($0).utf8) }
  }

  package static func lowercased(_ bytes: [UInt8]) -> [UInt8] { mapped(bytes) { $0.properties.lowercaseMapping } }
  package static func uppercased(_ bytes: [UInt8]) -> [UInt8] { mapped(bytes) { $0.properties.uppercaseMapping } }
}

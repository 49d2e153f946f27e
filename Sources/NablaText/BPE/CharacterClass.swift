/// The character classes of pre-tokenizer patterns: `\p{L}`, `\p{N}`, `\s` and the rest.
enum CharacterClass: UInt8 {
  case other, letter, number, space

  /// The class of any scalar, from its Unicode properties. Slow: for filling the table and for rare scalars.
  init(slow scalar: Unicode.Scalar) {
    if scalar.properties.isWhitespace {
      self = .space
      return
    }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
    case .decimalNumber, .letterNumber, .otherNumber: self = .number
    default: self = .other
    }
  }
}

extension CharacterClassifier {
  /// `\w` of regular expressions: letters, marks, decimal digits, letter-like numbers and connectors such as `_`.
  static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.properties.isAlphabetic || scalar.properties.isJoinControl { return true }
    switch scalar.properties.generalCategory {
    case .decimalNumber, .connectorPunctuation, .nonspacingMark, .spacingMark, .enclosingMark: return true
    default: return false
    }
  }
}

/// Looks up the class of the character at a position in UTF-8.
///
/// ASCII is computed, the rest of the basic plane comes from a table of 64 KiB that is built once (about 5 ms, and
/// only when a non-ASCII character occurs), and the higher planes use the Unicode properties.
struct CharacterClassifier {
  private static let basicPlane: [UInt8] = (0..<0x10000).map {
    Unicode.Scalar(UInt32($0)).map { CharacterClass(slow: $0).rawValue } ?? CharacterClass.other.rawValue
  }

  @inline(__always)
  static func classify(
    _ bytes: UnsafeBufferPointer<UInt8>, at position: Int
  ) -> (class: CharacterClass, length: Int) {
    let byte = bytes[position]
    if byte < 0x80 {
      if (byte | 0x20) &- 0x61 < 26 { return (.letter, 1) }
      if byte &- 0x30 < 10 { return (.number, 1) }
      if byte == 0x20 || byte &- 9 < 5 { return (.space, 1) }
      return (.other, 1)
    }
    return classifyBeyondASCII(bytes, at: position)
  }

  @inline(never)
  private static func classifyBeyondASCII(
    _ bytes: UnsafeBufferPointer<UInt8>, at position: Int
  ) -> (class: CharacterClass, length: Int) {
    let (scalar, length) = decodeScalar(bytes, at: position)
    if scalar.value < 0x10000 {
      return (CharacterClass(rawValue: basicPlane[Int(scalar.value)])!, length)
    }
    return (CharacterClass(slow: scalar), length)
  }
}

/// The patterns of Tekken (Mistral) and of GPT-4o, which split before an uppercase letter that follows lowercase ones.
/// With upper = `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]` and lower = `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`, the alternatives in order:
/// `[^\r\n\p{L}\p{N}]?upper*lower+`, `[^\r\n\p{L}\p{N}]?upper+lower*`, `\p{N}` or `\p{N}{1,3}`,
/// ` ?[^\s\p{L}\p{N}]+[\r\n/]*`, `\s*[\r\n]+`, `\s+(?!\S)`, `\s+`. GPT-4o lets a contraction follow the first two.
enum CaseAwareScanner {
  static func endOfWord(
    in bytes: UnsafeBufferPointer<UInt8>, from start: Int, digitsInGroup: Int, contractions: Bool
  ) -> Int {
    if let end = endOfLetters(in: bytes, from: start) {
      guard contractions, end < bytes.count else { return end }
      return WordScan.endOfContraction(in: bytes, from: end, ignoringCase: true) ?? end
    }
    let (first, firstLength) = CharacterClassifier.classify(bytes, at: start)
    let next = start + firstLength
    if first == .number { return WordScan.endOfGroup(ofDigits: digitsInGroup, in: bytes, from: start) }
    let second = next < bytes.count ? CharacterClassifier.classify(bytes, at: next).class : nil
    if first == .other || (bytes[start] == UInt8(ascii: " ") && second == .other) {
      var end = WordScan.endOfRun(.other, in: bytes, from: next)
      while end < bytes.count, LineAwareScanner.isLineEnd(bytes[end]) || bytes[end] == UInt8(ascii: "/") { end += 1 }
      return end
    }
    let spaces = WordScan.endOfRun(.space, in: bytes, from: start)
    if let lineEnd = bytes[start..<spaces].lastIndex(where: LineAwareScanner.isLineEnd) { return lineEnd + 1 }
    return WordScan.endOfSpaces(in: bytes, from: start)
  }

  /// The first two alternatives: with a character before the letters if there may be one, else without.
  private static func endOfLetters(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
    let (first, length) = CharacterClassifier.classify(bytes, at: start)
    let canPrecede = (first == .other || first == .space) && !LineAwareScanner.isLineEnd(bytes[start])
    for lowerNeeded in [true, false] {
      if canPrecede,
        let end = endOfUpperThenLower(in: bytes, from: start + length, lowerNeeded: lowerNeeded)
      {
        return end
      }
      if let end = endOfUpperThenLower(in: bytes, from: start, lowerNeeded: lowerNeeded) { return end }
    }
    return nil
  }

  /// `upper*lower+` or `upper+lower*`.
  private static func endOfUpperThenLower(
    in bytes: UnsafeBufferPointer<UInt8>, from start: Int, lowerNeeded: Bool
  ) -> Int? {
    var position = start
    var endOfLastBoth: Int?  // of the last character that is in both sets
    while position < bytes.count {
      let (letter, length) = letterCase(bytes, position)
      guard letter == .upper || letter == .both else { break }
      position += length
      if letter == .both { endOfLastBoth = position }
    }
    let endOfUpper = position
    while position < bytes.count {
      let (letter, length) = letterCase(bytes, position)
      guard letter == .lower || letter == .both else { break }
      position += length
    }
    if position > endOfUpper { return position }
    // No lowercase letter follows: the pattern backtracks until one is left that may count as one.
    return lowerNeeded ? endOfLastBoth : endOfUpper > start ? endOfUpper : nil
  }

  private enum LetterCase { case upper, lower, both }

  private static func letterCase(
    _ bytes: UnsafeBufferPointer<UInt8>, _ position: Int
  ) -> (letter: LetterCase?, length: Int) {
    let byte = bytes[position]
    if byte < 0x80 {
      guard (byte | 0x20) &- 0x61 < 26 else { return (nil, 1) }
      return (byte & 0x20 == 0 ? .upper : .lower, 1)
    }
    let (scalar, length) = decodeScalar(bytes, at: position)
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .titlecaseLetter: return (.upper, length)
    case .lowercaseLetter: return (.lower, length)
    case .modifierLetter, .otherLetter, .nonspacingMark, .spacingMark, .enclosingMark: return (.both, length)
    default: return (nil, length)
    }
  }
}

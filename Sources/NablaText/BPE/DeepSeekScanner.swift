/// The steps of DeepSeek V3, each of which cuts what the one before left: digits in groups of three; runs of Chinese
/// characters and Japanese syllables; and an expression whose alternatives are, in order, an ASCII punctuation mark with
/// the ASCII letters after it, `[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+`, ` ?[\p{P}\p{S}]+[\r\n]*`, `\s*[\r\n]+`,
/// `\s+(?!\S)`, `\s+`.
enum DeepSeekScanner {
  static func endOfWord(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    if let end = endOfMatch(in: bytes, from: start) { return end }
    // What no alternative matches, such as digits and control characters, is one word up to where one does.
    var position = start
    repeat {
      position += decodeScalar(bytes, at: position).length
    } while position < bytes.count
      && endOfMatch(in: bytes, from: position) == nil
    return position
  }

  private static func endOfMatch(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
    let (first, length) = kind(bytes, start)
    let next = start + length
    if first == .mark, bytes[start] < 0x80, next < bytes.count, isASCIILetter(bytes[next]) {
      var end = next
      while end < bytes.count, isASCIILetter(bytes[end]) { end += 1 }
      return end
    }
    if first == .letter { return endOfRun(.letter, in: bytes, from: next) }
    let isLineEnd = LineAwareScanner.isLineEnd(bytes[start])
    if first != .mark, !isLineEnd, next < bytes.count, kind(bytes, next).kind == .letter {
      return endOfRun(.letter, in: bytes, from: next)
    }
    let marks = bytes[start] == UInt8(ascii: " ") ? next : start
    if marks < bytes.count, kind(bytes, marks).kind == .mark {
      return LineAwareScanner.endOfLineEnds(in: bytes, from: endOfRun(.mark, in: bytes, from: marks))
    }
    guard first == .space else { return nil }
    let spaces = WordScan.endOfRun(.space, in: bytes, from: start)
    if let lineEnd = bytes[start..<spaces].lastIndex(where: LineAwareScanner.isLineEnd) { return lineEnd + 1 }
    return WordScan.endOfSpaces(in: bytes, from: start)
  }

  private enum Kind {
    /// Letters and combining marks.
    case letter
    /// Punctuation and symbols.
    case mark
    case space, other
  }

  private static func kind(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int) -> (kind: Kind, length: Int) {
    let (found, length) = CharacterClassifier.classify(bytes, at: position)
    switch found {
    case .letter: return (.letter, length)
    case .space: return (.space, length)
    case .number: return (.other, length)
    case .other: break
    }
    // Of ASCII, control characters alone are left beside punctuation.
    if length == 1 { return (bytes[position] > 0x20 && bytes[position] < 0x7F ? .mark : .other, 1) }
    switch decodeScalar(bytes, at: position).scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark: return (.letter, length)
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation, .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol:
      return (.mark, length)
    default: return (.other, length)
    }
  }

  private static func endOfRun(_ wanted: Kind, in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    var position = start
    while position < bytes.count {
      let (found, length) = kind(bytes, position)
      if found != wanted { break }
      position += length
    }
    return position
  }

  private static func isASCIILetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 }

  // MARK: The steps before

  /// Up to three digits, or all up to the next digit.
  static func endOfDigits(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    let end = WordScan.endOfGroup(ofDigits: 3, in: bytes, from: start)
    return end > start ? end : WordScan.endOfDigits(in: bytes, from: start, isolated: true)
  }

  /// A run of Chinese characters and Japanese syllables, or of all others.
  static func endOfChinese(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    var (scalar, length) = decodeScalar(bytes, at: start)
    let isChinese = isChinese(scalar)
    var position = start + length
    while position < bytes.count {
      (scalar, length) = decodeScalar(bytes, at: position)
      if Self.isChinese(scalar) != isChinese { break }
      position += length
    }
    return position
  }

  private static func isChinese(_ scalar: Unicode.Scalar) -> Bool {
    (0x4E00...0x9FA5).contains(scalar.value) || (0x3040...0x30FF).contains(scalar.value)
  }
}

/// GPT-2's pattern, alternatives in order:
/// `'s|'t|'re|'ve|'m|'ll|'d`, ` ?\p{L}+`, ` ?\p{N}+`, ` ?[^\s\p{L}\p{N}]+`, `\s+(?!\S)`, `\s+`.
enum GPT2Scanner {
  @inline(__always)
  static func endOfWord(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    if let end = WordScan.endOfContraction(in: bytes, from: start, ignoringCase: false) { return end }
    let content = start + (bytes[start] == UInt8(ascii: " ") ? 1 : 0)
    if content < bytes.count {
      let (found, length) = CharacterClassifier.classify(bytes, at: content)
      if found != .space { return WordScan.endOfRun(found, in: bytes, from: content + length) }
    }
    return WordScan.endOfSpaces(in: bytes, from: start)
  }
}

/// The pattern of Llama 3 and Qwen 2, alternatives in order: contractions in any case, `[^\r\n\p{L}\p{N}]?\p{L}+`,
/// `\p{N}{1,k}`, ` ?[^\s\p{L}\p{N}]+[\r\n]*`, `\s*[\r\n]+`, `\s+(?!\S)`, `\s+`.
///
/// With `joiningLastSpaces`, `\s+$` comes before the last three.
enum LineAwareScanner {
  static func endOfWord(
    in bytes: UnsafeBufferPointer<UInt8>, from start: Int, digitsInGroup: Int, joiningLastSpaces: Bool = false
  ) -> Int {
    if let end = WordScan.endOfContraction(in: bytes, from: start, ignoringCase: true) { return end }
    let (first, firstLength) = CharacterClassifier.classify(bytes, at: start)
    let next = start + firstLength
    switch first {
    case .letter: return WordScan.endOfRun(.letter, in: bytes, from: next)
    case .number: return WordScan.endOfGroup(ofDigits: digitsInGroup, in: bytes, from: start)
    case .other, .space: break
    }
    let second = next < bytes.count ? CharacterClassifier.classify(bytes, at: next).class : nil
    if second == .letter && !isLineEnd(bytes[start]) { return WordScan.endOfRun(.letter, in: bytes, from: next) }
    if first == .other || (bytes[start] == UInt8(ascii: " ") && second == .other) {
      return endOfLineEnds(in: bytes, from: WordScan.endOfRun(.other, in: bytes, from: next))
    }
    let spaces = WordScan.endOfRun(.space, in: bytes, from: start)
    if joiningLastSpaces, spaces == bytes.count { return spaces }
    if let lineEnd = bytes[start..<spaces].lastIndex(where: isLineEnd) { return lineEnd + 1 }
    return WordScan.endOfSpaces(in: bytes, from: start)
  }

  static func endOfLineEnds(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    var position = start
    while position < bytes.count, isLineEnd(bytes[position]) { position += 1 }
    return position
  }

  static func isLineEnd(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
  }
}

/// The pattern of Qwen 3.5, alternatives in order: contractions in any case, `[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+`,
/// `\p{N}`, ` ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*`, `\s*[\r\n]+`, `\s+(?!\S)`, `\s+`.
enum MarkAwareScanner {
  static func endOfWord(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    if let end = WordScan.endOfContraction(in: bytes, from: start, ignoringCase: true) { return end }
    let (first, firstLength) = CharacterClassifier.classify(bytes, at: start)
    let next = start + firstLength
    if first == .number { return next }
    if isLetterOrMark(bytes, start) { return endOfLetters(in: bytes, from: next) }
    if next < bytes.count, isLetterOrMark(bytes, next), !LineAwareScanner.isLineEnd(bytes[start]) {
      return endOfLetters(in: bytes, from: next)
    }
    let second = next < bytes.count ? CharacterClassifier.classify(bytes, at: next).class : nil
    if first == .other || (bytes[start] == UInt8(ascii: " ") && second == .other) {
      var end = first == .other ? start : next
      while end < bytes.count, CharacterClassifier.classify(bytes, at: end).class == .other, !isLetterOrMark(bytes, end)
      {
        end += decodeScalar(bytes, at: end).length
      }
      return LineAwareScanner.endOfLineEnds(in: bytes, from: end)
    }
    let spaces = WordScan.endOfRun(.space, in: bytes, from: start)
    if let lineEnd = bytes[start..<spaces].lastIndex(where: LineAwareScanner.isLineEnd) { return lineEnd + 1 }
    return WordScan.endOfSpaces(in: bytes, from: start)
  }

  private static func endOfLetters(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    var position = start
    while position < bytes.count, isLetterOrMark(bytes, position) {
      position += decodeScalar(bytes, at: position).length
    }
    return position
  }

  private static func isLetterOrMark(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int) -> Bool {
    switch CharacterClassifier.classify(bytes, at: position).class {
    case .letter: return true
    case .number, .space: return false
    case .other: break
    }
    if bytes[position] < 0x80 { return false }
    switch decodeScalar(bytes, at: position).scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark: return true
    default: return false
    }
  }
}

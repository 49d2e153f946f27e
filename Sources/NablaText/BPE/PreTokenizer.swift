/// How text is split into words before merging: BPE never merges across the splits.
///
/// Tokenizer files give these splits as regular expressions. Each known one has a name and a hand-written
/// scanner that is linear in the text; an expression from a file is compared with the known ones and never executed.
public enum PreTokenizer: String, Sendable, CaseIterable {
  /// No splits: the whole text is one word.
  case none
  /// GPT-2: contractions; letters, digits, or other characters with an optional space before; whitespace.
  case gpt2
  /// Llama 3 (close to OpenAI's cl100k): digits in groups of three, line ends on their own.
  case llama3
  /// Qwen 2: as Llama 3 with every digit on its own.
  case qwen2
  /// Qwen 3.5: as Qwen 2 with combining marks among the letters.
  case qwen35
  /// Tekken (Mistral Nemo and later): splits at changes from lowercase to uppercase letters; every digit on its own.
  case tekken
  /// GPT-4o: as Tekken with digits in groups of three, and contractions at the ends of words.
  case gpt4o = "gpt-4o"
  /// OpenAI's cl100k as its library has it now: as Llama 3 with the white space at the end of a text in one.
  case cl100k
  /// DeepSeek V3's last step: a punctuation mark with the letters after it; letters and marks; punctuation and symbols.
  case deepseek3 = "deepseek-v3"
  /// Chinese characters and Japanese syllables; all else stays together (DeepSeek V3).
  case chinese
  /// Digits in groups of three; all else stays together (DeepSeek V3).
  case digitGroups = "digit-groups"
  /// Runs of punctuation; all else stays together (Falcon, before ``gpt2``).
  case punctuation
  /// Runs of bytes that are digits in the spelling of bytes, which six others are too; all else stays together (Falcon,
  /// after ``gpt2``).
  case byteDigitRuns = "byte-digit-runs"
  /// Three digits (0-9) at a time; all else stays together (Falcon).
  case digitTriples = "digit-triples"
  /// Every digit on its own; all else stays together (SmolLM and StarCoder, before ``gpt2``).
  case digits
  /// Runs of digits; all else stays together.
  case digitRuns = "digit-runs"

  /// The expression in Hugging Face files for this scanner; nil for those that have no expression there.
  public var pattern: String? {
    switch self {
    case .none, .digits, .digitRuns, .punctuation, .byteDigitRuns: nil
    case .digitTriples: "[0-9][0-9][0-9]"
    case .digitGroups: #"\p{N}{1,3}"#
    case .chinese: "[\u{4E00}-\u{9FA5}\u{3040}-\u{309F}\u{30A0}-\u{30FF}]+"
    case .deepseek3:
      ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##
        + #"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    case .cl100k:
      #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"#
        + #"|\s+(?!\S)|\s"#
    case .gpt2: #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    case .llama3: Self.lineAware(digits: #"\p{N}{1,3}"#)
    case .qwen2: Self.lineAware(digits: #"\p{N}"#)
    case .qwen35:
      #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"#
        + #"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    case .tekken: Self.caseAware(digits: #"\p{N}"#)
    case .gpt4o: Self.caseAware(digits: #"\p{N}{1,3}"#, contractions: "(?i:'s|'t|'re|'ve|'m|'ll|'d)?")
    }
  }

  /// Other expressions of files, which match the same.
  private static let sameExpressions = [
    // OpenAI's cl100k as its library had it at first: possessive, so that it never goes back, where that finds nothing.
    #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"#:
      PreTokenizer.llama3
  ]

  /// The scanner for an expression of a file; nil for one that is not known.
  static func matching(_ expression: String) -> PreTokenizer? {
    // Some files spell line ends as they are, and not as escapes.
    let spelled = expression.unicodeScalars.map { $0 == "\r" ? #"\r"# : $0 == "\n" ? #"\n"# : String($0) }.joined()
    return allCases.first { $0.pattern == spelled } ?? sameExpressions[spelled]
  }

  private static func caseAware(digits: String, contractions: String = "") -> String {
    let (upper, lower) = (#"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#, #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#)
    return #"[^\r\n\p{L}\p{N}]?"# + upper + "*" + lower + "+" + contractions
      + #"|[^\r\n\p{L}\p{N}]?"# + upper + "+" + lower + "*" + contractions
      + "|" + digits + #"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  private static func lineAware(digits: String) -> String {
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  /// Whether it looks at bytes as files spell them, and not at characters.
  var cutsBytes: Bool { self == .byteDigitRuns || self == .digitTriples }

  /// The words of `text`, in order; concatenated they are `text`.
  public func words(in text: String) -> [String] {
    text.withUTF8Bytes { bytes in
      var words: [String] = []
      var start = 0
      while start < bytes.count {
        let end = endOfWord(in: bytes, from: start)
        words.append(String(decoding: bytes[start..<end], as: UTF8.self))
        start = end
      }
      return words
    }
  }

  /// Calls `body` with each word that `steps` split `bytes` into: the first splits the text, each of the others splits
  /// the parts of the previous one.
  @inline(__always)
  static func forEachWord(
    in bytes: UnsafeBufferPointer<UInt8>, cutBy steps: ArraySlice<PreTokenizer>,
    _ body: (UnsafeBufferPointer<UInt8>) throws -> Void
  ) rethrows {
    guard let last = steps.last else { return try body(bytes) }
    try forEachPart(in: bytes, cutBy: steps.dropLast()) { part in
      var start = 0
      while start < part.count {
        let end = last.endOfWord(in: part, from: start)
        try body(UnsafeBufferPointer(rebasing: part[start..<end]))
        start = end
      }
    }
  }

  /// As ``forEachWord(in:cutBy:_:)``, not inlined, for the outer steps.
  private static func forEachPart(
    in bytes: UnsafeBufferPointer<UInt8>, cutBy steps: ArraySlice<PreTokenizer>,
    _ body: (UnsafeBufferPointer<UInt8>) throws -> Void
  ) rethrows {
    guard let last = steps.last else { return try body(bytes) }
    try forEachPart(in: bytes, cutBy: steps.dropLast()) { part in
      var start = 0
      while start < part.count {
        let end = last.endOfWord(in: part, from: start)
        try body(UnsafeBufferPointer(rebasing: part[start..<end]))
        start = end
      }
    }
  }

  /// The end of the word that begins at `start`, which must be inside `bytes`. `bytes` must be valid UTF-8.
  @inline(__always)
  func endOfWord(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    switch self {
    case .none: bytes.count
    case .gpt2: GPT2Scanner.endOfWord(in: bytes, from: start)
    case .llama3: LineAwareScanner.endOfWord(in: bytes, from: start, digitsInGroup: 3)
    case .qwen2: LineAwareScanner.endOfWord(in: bytes, from: start, digitsInGroup: 1)
    case .qwen35: MarkAwareScanner.endOfWord(in: bytes, from: start)
    case .tekken: CaseAwareScanner.endOfWord(in: bytes, from: start, digitsInGroup: 1, contractions: false)
    case .gpt4o: CaseAwareScanner.endOfWord(in: bytes, from: start, digitsInGroup: 3, contractions: true)
    case .cl100k: LineAwareScanner.endOfWord(in: bytes, from: start, digitsInGroup: 3, joiningLastSpaces: true)
    case .deepseek3: DeepSeekScanner.endOfWord(in: bytes, from: start)
    case .chinese: DeepSeekScanner.endOfChinese(in: bytes, from: start)
    case .digitGroups: DeepSeekScanner.endOfDigits(in: bytes, from: start)
    case .punctuation: FalconScanner.endOfPunctuation(in: bytes, from: start)
    case .byteDigitRuns: FalconScanner.endOfByteDigits(in: bytes, from: start)
    case .digitTriples: FalconScanner.endOfTriple(in: bytes, from: start)
    case .digits: WordScan.endOfDigits(in: bytes, from: start, isolated: true)
    case .digitRuns: WordScan.endOfDigits(in: bytes, from: start, isolated: false)
    }
  }
}

/// Parts that the scanners share. Positions are byte offsets at character boundaries.
enum WordScan {
  /// The end of the run of characters of class `wanted` that begins at `start`.
  @inline(__always)
  static func endOfRun(_ wanted: CharacterClass, in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    var position = start
    while position < bytes.count {
      let (found, length) = CharacterClassifier.classify(bytes, at: position)
      if found != wanted { break }
      position += length
    }
    return position
  }

  /// One digit or a run of them (`isolated` says which), or the run of everything else.
  static func endOfDigits(in bytes: UnsafeBufferPointer<UInt8>, from start: Int, isolated: Bool) -> Int {
    let (first, length) = CharacterClassifier.classify(bytes, at: start)
    var position = start + length
    if first == .number { return isolated ? position : endOfRun(.number, in: bytes, from: position) }
    while position < bytes.count {
      let (found, length) = CharacterClassifier.classify(bytes, at: position)
      if found == .number { break }
      position += length
    }
    return position
  }

  /// The end of the run of at most `limit` digits at `start`.
  static func endOfGroup(ofDigits limit: Int, in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    var position = start
    for _ in 0..<limit where position < bytes.count {
      let (found, length) = CharacterClassifier.classify(bytes, at: position)
      if found != .number { break }
      position += length
    }
    return position
  }

  /// `\s+(?!\S)|\s+` at a space: the run of whitespace up to the end of the text, otherwise the run without its last
  /// character (which belongs to the next word), otherwise that one character.
  static func endOfSpaces(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    let end = endOfRun(.space, in: bytes, from: start)
    if end == bytes.count { return end }
    var last = end - 1
    while bytes[last] & 0xC0 == 0x80 { last -= 1 }
    return last > start ? last : end
  }

  /// The end of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` at `start`, or nil.
  @inline(__always)
  static func endOfContraction(
    in bytes: UnsafeBufferPointer<UInt8>, from start: Int, ignoringCase: Bool
  ) -> Int? {
    guard bytes[start] == UInt8(ascii: "'"), start + 1 < bytes.count else { return nil }
    let caseBit: UInt8 = ignoringCase ? 0x20 : 0
    let first = bytes[start + 1] | caseBit
    switch first {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
    default: break
    }
    guard start + 2 < bytes.count else { return nil }
    switch (first, bytes[start + 2] | caseBit) {
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    default: break
    }
    // U+017F, the long s (C5 BF), is the one letter beyond ASCII that equals one of these when case is ignored.
    if ignoringCase, bytes[start + 1] == 0xC5, bytes[start + 2] == 0xBF { return start + 3 }
    return nil
  }
}

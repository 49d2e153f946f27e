/// Byte-level byte-pair encoding, as in GPT-2 (Radford et al. 2019, section 2.2): text is split into words, each word
/// starts as its UTF-8 bytes, and learned merges join adjacent symbols. Every text can be encoded.
///
/// Encoding takes time proportional to the text, up to the logarithm of its longest word.
public struct ByteLevelBPETokenizer: Tokenizer {
  public let specialTokens: SpecialTokens
  public let template: TokenTemplate
  public let vocabularySize: Int
  public let normalizer: Normalizer?
  /// How text is split into words; each step splits the parts of the previous one.
  public let preTokenizers: [PreTokenizer]
  /// Whether a space is prepended to text that does not begin with one (`add_prefix_space`).
  public let addsPrefixSpace: Bool
  /// Whether a word that is itself a token is taken whole, whatever the merges say (`ignore_merges`, Llama 3).
  public let prefersWholeWords: Bool

  let merges: BPEMerges
  /// Ordinary tokens; empty where an id is a special token's or unused.
  let tokens: TokenTable
  /// The id of each byte, -1 where the vocabulary lacks it.
  private let idOfByte: [Int32]

  /// - Parameters:
  ///   - tokens: The bytes of each ordinary token, indexed by id; empty where the id is a special token's or unused.
  init(
    tokens: TokenTable, merges: BPEMerges, specialTokens: [SpecialToken],
    normalizer: Normalizer? = nil, preTokenizers: [PreTokenizer], template: TokenTemplate = TokenTemplate(),
    addsPrefixSpace: Bool = false, prefersWholeWords: Bool = false
  ) {
    self.specialTokens = SpecialTokens(specialTokens, normalizer: normalizer)
    self.template = template
    self.normalizer = normalizer
    self.preTokenizers = preTokenizers
    self.addsPrefixSpace = addsPrefixSpace
    self.prefersWholeWords = prefersWholeWords
    self.merges = merges
    self.tokens = tokens
    vocabularySize = max(tokens.count, Int(specialTokens.map(\.id).max() ?? -1) + 1)
    idOfByte = (0..<256).map { tokens.id(of: [UInt8($0)]) ?? -1 }
  }

  public func encode(_ text: String, recognizingSpecialTokens: Bool) throws -> [Int32] {
    try encode(text, recognizingSpecialTokens: recognizingSpecialTokens, after: nil)
  }

  public func encode(_ text: String, recognizingSpecialTokens: Bool, after previous: Int32?) throws -> [Int32] {
    let continuesWord = previous.map { !specialTokens.contains($0) } ?? false
    return try text.withUTF8Bytes { bytes in
      var ids: [Int32] = []
      ids.reserveCapacity(bytes.count / 3 + 8)
      let cache = WordCache(textLength: bytes.count)
      if normalizer == nil {
        try specialTokens.split(
          bytes, recognizing: recognizingSpecialTokens,
          ordinary: { range in
            let addsSpace = addsPrefixSpace && !(continuesWord && range.lowerBound == 0)
            try encode(bytes, range, addingSpace: addsSpace, cache, into: &ids)
          }, special: { ids.append($0) })
        return ids
      }
      try specialTokens.walk(bytes, recognizing: recognizingSpecialTokens, normalizer: normalizer) { part, isAtStart in
        let addsSpace = addsPrefixSpace && !(continuesWord && isAtStart)
        try encode(part, 0..<part.count, addingSpace: addsSpace, cache, into: &ids)
      } special: {
        ids.append($0)
      }
      return ids
    }
  }

  /// Appends the ids of a segment without special tokens.
  private func encode(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, addingSpace: Bool, _ cache: borrowing WordCache,
    into ids: inout [Int32]
  ) throws {
    if addingSpace && text[range.lowerBound] != UInt8(ascii: " ") {
      let spaced = [UInt8(ascii: " ")] + text[range]
      try spaced.withUnsafeBufferPointer { try encode($0, offset: range.lowerBound - 1, cache, into: &ids) }
    } else {
      try encode(UnsafeBufferPointer(rebasing: text[range]), offset: range.lowerBound, cache, into: &ids)
    }
  }

  /// `offset` is the position of `bytes` in the text, for errors.
  private func encode(
    _ bytes: UnsafeBufferPointer<UInt8>, offset: Int, _ cache: borrowing WordCache, into ids: inout [Int32]
  ) throws {
    var symbols: [Int32] = []
    try PreTokenizer.forEachWord(in: bytes, cutBy: preTokenizers[...]) { word in
      let key = WordCache.key(word)
      if let key, cache.append(key, to: &ids) { return }
      symbols.removeAll(keepingCapacity: true)
      if prefersWholeWords, let id = tokens.id(of: word) {
        symbols.append(id)
      } else {
        for (position, byte) in word.enumerated() {
          let id = idOfByte[Int(byte)]
          guard id >= 0 else {
            let start = word.baseAddress! - bytes.baseAddress!
            throw TokenizerError.unknownByte(byte, offset: offset + start + position)
          }
          symbols.append(id)
        }
        merges.apply(to: &symbols)
      }
      ids.append(contentsOf: symbols)
      if let key { cache.remember(key, symbols) }
    }
  }

  public func appendBytes(of id: Int32, to bytes: inout [UInt8]) {
    let ordinary = id >= 0 ? ordinaryBytes(Int(id)) : []
    if ordinary.isEmpty {
      if let token = specialTokens.token(id) { bytes.append(contentsOf: token.content.utf8) }
    } else {
      bytes.append(contentsOf: ordinary)
    }
  }

  /// The bytes of an ordinary token; empty for a special token and for an unused id.
  func ordinaryBytes(_ id: Int) -> ArraySlice<UInt8> { id < tokens.count ? tokens.bytes(of: id) : [] }
}

/// Byte-level byte-pair encoding, as in GPT-2 (Radford et al. 2019, section 2.2): text is cut into words, each word
/// starts as its UTF-8 bytes, and learned merges join neighbours. Every text can be encoded.
///
/// Encoding takes time proportional to the text, up to the logarithm of its longest word.
public struct ByteLevelBPETokenizer: Tokenizer {
  public let specialTokens: SpecialTokens
  public let vocabularySize: Int
  public let preTokenizer: PreTokenizer
  /// Whether a space is put before text that does not begin with one (`add_prefix_space`).
  public let addsPrefixSpace: Bool
  /// Whether a word that is itself a token is taken whole, whatever the merges say (`ignore_merges`, Llama 3).
  public let prefersWholeWords: Bool

  let merges: BPEMerges
  /// The bytes of token `id` are `tokenBytes[tokenStarts[id]..<tokenStarts[id + 1]]`; none for a special token.
  private let tokenBytes: [UInt8]
  private let tokenStarts: [Int32]
  /// The id of each byte, -1 where the vocabulary lacks it.
  private let idOfByte: [Int32]
  private let idOfWord: [[UInt8]: Int32]

  /// - Parameters:
  ///   - tokens: The bytes of each ordinary token, indexed by id; empty where the id is a special token's or unused.
  ///   - merges: Pairs of ids in the order they were learned, with the id of the token each becomes.
  package init(
    tokens: [[UInt8]], merges: [(left: Int32, right: Int32, id: Int32)], specialTokens: [SpecialToken],
    preTokenizer: PreTokenizer, addsPrefixSpace: Bool = false, prefersWholeWords: Bool = false
  ) {
    self.specialTokens = SpecialTokens(specialTokens)
    self.preTokenizer = preTokenizer
    self.addsPrefixSpace = addsPrefixSpace
    self.prefersWholeWords = prefersWholeWords
    self.merges = BPEMerges(merges)
    vocabularySize = max(tokens.count, Int(specialTokens.map(\.id).max() ?? -1) + 1)
    var idOfByte = [Int32](repeating: -1, count: 256)
    var starts: [Int32] = [0]
    var bytes: [UInt8] = []
    for (id, token) in tokens.enumerated() {
      if token.count == 1 { idOfByte[Int(token[0])] = Int32(id) }
      bytes.append(contentsOf: token)
      starts.append(Int32(bytes.count))
    }
    tokenBytes = bytes
    tokenStarts = starts
    self.idOfByte = idOfByte
    idOfWord =
      prefersWholeWords
      ? Dictionary(tokens.enumerated().map { ($1, Int32($0)) }, uniquingKeysWith: { first, _ in first }) : [:]
  }

  public func encode(_ text: String, recognizingSpecialTokens: Bool) throws -> [Int32] {
    try text.withUTF8Bytes { bytes in
      var ids: [Int32] = []
      ids.reserveCapacity(bytes.count / 3 + 8)
      let cache = WordCache(textLength: bytes.count)
      try specialTokens.split(
        bytes, recognizing: recognizingSpecialTokens,
        ordinary: { range in
          if addsPrefixSpace && bytes[range.lowerBound] != UInt8(ascii: " ") {
            let spaced = [UInt8(ascii: " ")] + bytes[range]
            try spaced.withUnsafeBufferPointer { try encode($0, offset: range.lowerBound - 1, cache, into: &ids) }
          } else {
            try encode(UnsafeBufferPointer(rebasing: bytes[range]), offset: range.lowerBound, cache, into: &ids)
          }
        },
        special: { ids.append($0) })
      return ids
    }
  }

  /// Appends the ids of a stretch without special tokens. `offset` is where it stands in the text, for errors.
  private func encode(
    _ bytes: UnsafeBufferPointer<UInt8>, offset: Int, _ cache: borrowing WordCache, into ids: inout [Int32]
  ) throws {
    var start = 0
    var symbols: [Int32] = []
    while start < bytes.count {
      let end = preTokenizer.endOfWord(in: bytes, from: start)
      let word = bytes[start..<end]
      let key = WordCache.key(word)
      if let key, cache.append(key, to: &ids) {
        start = end
        continue
      }
      symbols.removeAll(keepingCapacity: true)
      if prefersWholeWords, let id = idOfWord[Array(word)] {
        symbols.append(id)
      } else {
        for position in word.indices {
          let id = idOfByte[Int(bytes[position])]
          guard id >= 0 else { throw TokenizerError.unknownByte(bytes[position], offset: offset + position) }
          symbols.append(id)
        }
        merges.apply(to: &symbols)
      }
      ids.append(contentsOf: symbols)
      if let key { cache.remember(key, symbols) }
      start = end
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
  func ordinaryBytes(_ id: Int) -> ArraySlice<UInt8> {
    id < tokenStarts.count - 1 ? tokenBytes[Int(tokenStarts[id])..<Int(tokenStarts[id + 1])] : []
  }
}

/// Tokens that are pieces of characters: the BPE and unigram models of SentencePiece (Kudo & Richardson 2018,
/// arXiv:1808.06226), as in Llama 2, Mistral, Gemma and T5.
///
/// Unknown characters are encoded as bytes if there are byte tokens (byte fallback), otherwise as the unknown
/// token. Encoding takes time proportional to the text, up to the logarithm of its longest word.
public struct PieceTokenizer: Tokenizer {
  /// How a word becomes pieces.
  enum Model: Sendable {
    case merges(PieceMerges)
    case unigram(Unigram)
  }

  /// What decoding does to the first piece, whose space was added by the tokenizer.
  enum FirstPiece: Sendable {
    case asItIs
    /// Removes one space.
    case dropsSpace
    /// Removes all its marks (the decoder `Metaspace`).
    case dropsMarks
  }

  public let specialTokens: SpecialTokens
  public let template: TokenTemplate
  public let vocabularySize: Int
  public let normalizer: Normalizer?
  /// How spaces are marked and words split; nil where the normalizer marks them and the whole text is one word.
  public let metaspace: Metaspace?
  let model: Model
  let vocabulary: PieceVocabulary
  let firstPiece: FirstPiece

  init(
    vocabulary: PieceVocabulary, model: Model, specialTokens: [SpecialToken], normalizer: Normalizer? = nil,
    metaspace: Metaspace? = nil, template: TokenTemplate = TokenTemplate(), firstPiece: FirstPiece
  ) {
    self.vocabulary = vocabulary
    self.model = model
    self.specialTokens = SpecialTokens(specialTokens, normalizer: normalizer)
    self.normalizer = normalizer
    self.metaspace = metaspace
    self.template = template
    self.firstPiece = firstPiece
    vocabularySize = max(vocabulary.pieces.count, Int(specialTokens.map(\.id).max() ?? -1) + 1)
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
      try specialTokens.walk(
        bytes, recognizing: recognizingSpecialTokens, normalizer: normalizer,
        firstNormalizer: continuesWord ? normalizer?.withoutPrepending : normalizer
      ) { part, isAtStart in
        guard var metaspace else { return try encode(word: part, cache, into: &ids) }
        if isAtStart && continuesWord { metaspace.prepending = .never }
        try metaspace.forEachWord(in: part, isAtStart: isAtStart && previous == nil) {
          try encode(word: $0, cache, into: &ids)
        }
      } special: {
        ids.append($0)
      }
      return ids
    }
  }

  private func encode(
    word: UnsafeBufferPointer<UInt8>, _ cache: borrowing WordCache, into ids: inout [Int32]
  ) throws {
    switch model {
    case .merges(let merges): try merges.encode(word, vocabulary, cache, into: &ids)
    case .unigram(let unigram):
      let key = WordCache.key(word)
      if let key, cache.append(key, to: &ids) { return }
      let before = ids.count
      try unigram.encode(word, vocabulary, into: &ids)
      if let key { cache.remember(key, ids[before...]) }
    }
  }

  public func appendBytes(of id: Int32, to bytes: inout [UInt8]) {
    let isPiece = id >= 0 && Int(id) < vocabulary.pieces.count && !vocabulary.pieces.bytes(of: Int(id)).isEmpty
    // An added token that is also a piece, such as Gemma's runs of spaces, is decoded as a piece.
    if !isPiece, let token = specialTokens.token(id) {
      bytes.append(contentsOf: token.content.utf8)
    } else if let byte = vocabulary.byte(of: id) {
      bytes.append(byte)
    } else if isPiece {
      let mark = Array(Metaspace.mark.utf8)
      var piece = vocabulary.pieces.bytes(of: Int(id))
      while let first = piece.first {
        if first == mark[0], piece.starts(with: mark) {
          bytes.append(UInt8(ascii: " "))
          piece = piece.dropFirst(mark.count)
        } else {
          bytes.append(first)
          piece = piece.dropFirst()
        }
      }
    }
  }

  public func appendText(of id: Int32, isFirst: Bool, to bytes: inout [UInt8]) {
    let start = bytes.count
    appendBytes(of: id, to: &bytes)
    guard isFirst, firstPiece != .asItIs, bytes.count > start else { return }
    switch firstPiece {
    case .asItIs: break
    case .dropsSpace: if bytes[start] == UInt8(ascii: " ") { bytes.remove(at: start) }
    case .dropsMarks:
      let isSpelled = vocabulary.byte(of: id) == nil && !specialTokens.contains(id)
      if isSpelled { bytes[start...] = bytes[start...].filter { $0 != UInt8(ascii: " ") }[...] }
    }
  }
}

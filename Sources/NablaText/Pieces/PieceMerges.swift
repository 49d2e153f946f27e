/// BPE over characters: a word starts as its characters, and learned merges join adjacent symbols (Sennrich et al.
/// 2016).
struct PieceMerges: Sendable {
  let merges: BPEMerges
  /// Whether no piece spans two words: then words can be merged one by one, and cached.
  private let staysInWords: Bool

  init(_ merges: BPEMerges, _ vocabulary: PieceVocabulary) {
    self.merges = merges
    let mark = Array(Metaspace.mark.utf8)
    // A mark that is a piece is never part of a run of unknown characters either.
    staysInWords =
      vocabulary.pieces.id(of: mark) != nil
      && !(0..<vocabulary.pieces.count).contains { id in
        vocabulary.pieces.bytes(of: id).withUnsafeBufferPointer { piece in
          Self.endOfWord(in: piece, from: 0) < piece.count
        }
      }
  }

  /// Appends the ids of a text.
  func encode(
    _ text: UnsafeBufferPointer<UInt8>, _ vocabulary: PieceVocabulary, _ cache: borrowing WordCache,
    into ids: inout [Int32]
  ) throws {
    if !staysInWords { return try encode(word: text, vocabulary, into: &ids) }
    var start = 0
    while start < text.count {
      let end = Self.endOfWord(in: text, from: start)
      let word = UnsafeBufferPointer(rebasing: text[start..<end])
      start = end
      let key = WordCache.key(word)
      if let key, cache.append(key, to: &ids) { continue }
      let before = ids.count
      try encode(word: word, vocabulary, into: &ids)
      if let key { cache.remember(key, ids[before...]) }
    }
  }

  /// Where the next word begins: at a mark that follows another character.
  private static func endOfWord(in text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    var position = start
    var isInWord = false
    while position < text.count {
      let isMark =
        text[position] == 0xE2 && position + 2 < text.count && text[position + 1] == 0x96 && text[position + 2] == 0x81
      if isMark, isInWord { return position }
      isInWord = !isMark
      position += isMark ? 3 : 1
    }
    return position
  }

  private func encode(
    word: UnsafeBufferPointer<UInt8>, _ vocabulary: PieceVocabulary, into ids: inout [Int32]
  ) throws {
    var symbols: [Int32] = []
    symbols.reserveCapacity(word.count)
    var position = 0
    var isAfterUnknown = false
    while position < word.count {
      let length = decodeScalar(word, at: position).length
      let character = UnsafeBufferPointer(rebasing: word[position..<(position + length)])
      position += length
      if let id = vocabulary.pieces.id(of: character) {
        symbols.append(id)
        isAfterUnknown = false
      } else if vocabulary.appendBytes(character, to: &symbols) {
        isAfterUnknown = false
      } else {
        guard let unknown = vocabulary.unknown else { throw vocabulary.unknownError(character) }
        if !(isAfterUnknown && vocabulary.fusesUnknown) { symbols.append(unknown) }
        isAfterUnknown = true
      }
    }
    merges.apply(to: &symbols)
    ids.append(contentsOf: symbols)
  }
}

extension BPEMerges {
  /// The merges of a vocabulary that has scores in their place: any two pieces that form a piece merge, those
  /// with the highest score first, the leftmost of equals (SentencePiece's BPE).
  ///
  /// - Parameter scores: By id; as many as there are pieces.
  init(_ pieces: TokenTable, scores: [Float]) {
    var pairs: [(left: Int32, right: Int32, id: Int32)] = []
    for id in 0..<pieces.count {
      pieces.bytes(of: id).withUnsafeBufferPointer { piece in
        for cut in piece.indices.dropFirst() where piece[cut] & 0xC0 != 0x80 {
          guard let left = pieces.id(of: UnsafeBufferPointer(rebasing: piece[..<cut])),
            let right = pieces.id(of: UnsafeBufferPointer(rebasing: piece[cut...])),
            pieces.id(of: piece) == Int32(id)
          else { continue }
          pairs.append((left, right, Int32(id)))
        }
      }
    }
    // Equal scores have one rank.
    let distinct = Set(pairs.map { scores[Int($0.id)] }).sorted(by: >)
    let rank = Dictionary(uniqueKeysWithValues: distinct.enumerated().map { ($1, UInt32($0)) })
    let order = pairs.map { (rank: rank[scores[Int($0.id)]]!, pair: $0) }.sorted {
      ($0.rank, $0.pair.left, $0.pair.right) < ($1.rank, $1.pair.left, $1.pair.right)
    }
    self.init(minimumCapacity: order.count)
    for (rank, pair) in order { _ = append(pair.left, pair.right, id: pair.id, rank: rank) }
  }
}

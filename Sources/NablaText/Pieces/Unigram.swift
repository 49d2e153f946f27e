/// The unigram model (Kudo 2018, arXiv:1804.10959): each piece has a log-probability, and a word becomes the pieces
/// with the highest sum, found by the Viterbi algorithm.
///
/// The time is proportional to the word times the longest piece.
struct Unigram: Sendable {
  /// Log-probabilities by id.
  let scores: [Double]
  private let trie: ByteTrie
  private let unknownScore: Double

  /// The cost of an unknown character below the least likely piece.
  private static let unknownPenalty = 10.0

  init(_ pieces: TokenTable, scores: [Double]) {
    self.scores = scores
    trie = pieces.trie()
    unknownScore = (scores.min() ?? .infinity) - Self.unknownPenalty
  }

  private struct Node: BitwiseCopyable {
    /// Of the best path to this position.
    var score = 0.0
    /// Where the last piece of that path begins; -1 if there is no path.
    var start: Int32 = -1
    /// The last piece, -1 for an unknown character.
    var id: Int32 = -1
  }

  /// Appends the ids of a word.
  func encode(
    _ word: UnsafeBufferPointer<UInt8>, _ vocabulary: PieceVocabulary, into ids: inout [Int32]
  ) throws {
    precondition(word.count < Int(Int32.max), "Unigram: a word of \(word.count) bytes is too long")
    var best = [Node](repeating: Node(), count: word.count + 1)
    best.withUnsafeMutableBufferPointer { best in
      var position = 0
      while position < word.count {
        let length = decodeScalar(word, at: position).length
        let score = best[position].score
        var hasCharacter = false
        trie.forEachPrefix(of: word, from: position) { count, id in
          let candidate = score + scores[Int(id)]
          let end = position &+ count
          if best[end].start < 0 || candidate > best[end].score {
            best[end] = Node(score: candidate, start: Int32(position), id: id)
          }
          if count == length { hasCharacter = true }
        }
        if !hasCharacter {
          let candidate = score + unknownScore
          let end = position + length
          if best[end].start < 0 || candidate > best[end].score {
            best[end] = Node(score: candidate, start: Int32(position), id: -1)
          }
        }
        position += length
      }
    }
    // From the end back; adjacent unknown characters are one segment.
    var path: [(range: Range<Int>, id: Int32)] = []
    var end = word.count
    while end > 0 {
      let node = best[end]
      if node.id < 0, let last = path.last, last.id < 0 {
        path[path.count - 1].range = Int(node.start)..<last.range.upperBound
      } else {
        path.append((Int(node.start)..<end, node.id))
      }
      end = Int(node.start)
    }
    for (range, id) in path.reversed() {
      let characters = UnsafeBufferPointer(rebasing: word[range])
      if id >= 0 {
        ids.append(id)
      } else if !vocabulary.appendBytes(characters, to: &ids) {
        guard let unknown = vocabulary.unknown else { throw vocabulary.unknownError(characters) }
        ids.append(unknown)
      }
    }
  }
}

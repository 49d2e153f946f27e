/// The merges of a byte-level vocabulary, as encoded in files.
///
/// - Throws: The problem, and the merge that has it.
func byteLevelMerges(
  _ stored: StoredMerges, _ tokens: TokenTable, _ added: [SpecialToken]
) throws(MergeProblem) -> BPEMerges {
  var malformed = stored.firstMalformed
  let merges = stored.decoded(firstMalformed: &malformed)
  if let malformed { throw MergeProblem(rank: malformed, kind: .malformed) }
  var absent = added.foundBeforeMerging
  // A vocabulary may list a control token in the alphabet of its other tokens.
  for token in added where token.isFoundBeforeModel {
    if let bytes = ByteLevelAlphabet.bytes(token.content) { absent.insert(bytes) }
  }
  return try BPEMerges(merges, tokens, without: absent)
}

/// A problem with a merge in a file.
struct MergeProblem: Error {
  enum Kind { case malformed, left, right, result, repeated }

  var rank: Int
  var kind: Kind

  /// - Parameter merges: As encoded in the file.
  func reason(_ merges: StoredMerges) -> String {
    let (left, right) = (merges.left(rank), merges.right(rank))
    func quoted(_ token: ArraySlice<UInt8>) -> String { String(reflecting: String(decoding: token, as: UTF8.self)) }
    switch kind {
    case .malformed: return "expected two tokens"
    case .left: return "the token \(quoted(left)) is not in the vocabulary"
    case .right: return "the token \(quoted(right)) is not in the vocabulary"
    case .result: return "the result \(quoted(left + right)) is not in the vocabulary"
    case .repeated: return "the pair occurs twice"
    }
  }
}

extension SpecialToken {
  /// Whether its spelling never reaches the model. That of a whole-word token does, inside words.
  var isFoundBeforeModel: Bool { isControl && !matching.isWholeWord }
}

extension [SpecialToken] {
  /// The spellings that never reach the merges.
  var foundBeforeMerging: Set<[UInt8]> {
    Set(filter(\.isFoundBeforeModel).map { [UInt8]($0.content.utf8) })
  }
}

extension BPEMerges {
  /// The merges of a file, whose tokens are those of `tokens`.
  ///
  /// - Parameter absent: Tokens that `tokens` lacks because no text becomes them. Merges from or to these are dropped:
  ///   vocabularies trained on text that contains a control token have such merges.
  init(_ stored: StoredMerges, _ tokens: TokenTable, without absent: Set<[UInt8]> = []) throws(MergeProblem) {
    if let rank = stored.firstMalformed { throw MergeProblem(rank: rank, kind: .malformed) }
    var sides = tokens.ids(of: stored.bytes, ends: stored.ends)
    // A merge usually forms the same token as the previous one, or the next id, which saves the lookup.
    var made = -1
    var results = stored.bytes.withUnsafeBufferPointer { bytes in
      (0..<stored.count).map { rank in
        let result = UnsafeBufferPointer(rebasing: bytes[stored.start(rank)..<Int(stored.ends[2 * rank + 1])])
        let next = tokens.has(made, result) ? made : made + 1
        let found = next != made && !tokens.has(next, result) ? tokens.id(of: result).map(Int.init) : next
        made = found ?? made
        return Int32(found ?? -1)
      }
    }
    var ranks: [Int]?
    if sides.contains(-1) || results.contains(-1) {
      func missing(_ rank: Int) -> (MergeProblem.Kind, ArraySlice<UInt8>)? {
        if sides[2 * rank] < 0 { return (.left, stored.left(rank)) }
        if sides[2 * rank + 1] < 0 { return (.right, stored.right(rank)) }
        return results[rank] < 0 ? (.result, stored.left(rank) + stored.right(rank)) : nil
      }
      var kept: [Int] = []
      for rank in 0..<stored.count {
        if let (kind, token) = missing(rank) {
          if !absent.contains(Array(token)) { throw MergeProblem(rank: rank, kind: kind) }
        } else {
          kept.append(rank)
        }
      }
      sides = kept.flatMap { [sides[2 * $0], sides[2 * $0 + 1]] }
      results = kept.map { results[$0] }
      ranks = kept
    }
    var repeated: Int?
    self.init(sides: sides, results: results, repeated: &repeated)
    if let repeated { throw MergeProblem(rank: ranks?[repeated] ?? repeated, kind: .repeated) }
  }
}

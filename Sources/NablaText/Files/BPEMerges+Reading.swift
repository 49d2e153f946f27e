/// The merges of a byte-level vocabulary, from how files spell them.
///
/// - Throws: What is wrong, and with which merge.
func byteLevelMerges(_ stored: StoredMerges, _ tokens: TokenTable) throws(MergeProblem) -> BPEMerges {
  var malformed = stored.firstMalformed
  let merges = stored.decoded(firstMalformed: &malformed)
  if let malformed { throw MergeProblem(rank: malformed, kind: .malformed) }
  return try BPEMerges(merges, tokens)
}

/// What is wrong with a merge in a file.
struct MergeProblem: Error {
  enum Kind { case malformed, left, right, result, repeated }

  var rank: Int
  var kind: Kind

  /// - Parameter merges: As the file spells them.
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

extension BPEMerges {
  /// The merges of a file, whose tokens are those of `tokens`.
  init(_ stored: StoredMerges, _ tokens: TokenTable) throws(MergeProblem) {
    if let rank = stored.firstMalformed { throw MergeProblem(rank: rank, kind: .malformed) }
    let ids = tokens.ids(of: stored.bytes, ends: stored.ends)
    if let token = ids.firstIndex(of: -1) {
      throw MergeProblem(rank: token / 2, kind: token % 2 == 0 ? .left : .right)
    }
    // One merge usually makes the token that the last one made, or the one after it, which saves looking it up.
    var made = -1
    let results = stored.bytes.withUnsafeBufferPointer { bytes in
      (0..<stored.count).map { rank in
        let result = UnsafeBufferPointer(rebasing: bytes[stored.start(rank)..<Int(stored.ends[2 * rank + 1])])
        let next = tokens.has(made, result) ? made : made + 1
        let found = next != made && !tokens.has(next, result) ? tokens.id(of: result).map(Int.init) : next
        made = found ?? made
        return Int32(found ?? -1)
      }
    }
    if let rank = results.firstIndex(of: -1) { throw MergeProblem(rank: rank, kind: .result) }
    var repeated: Int?
    self.init(sides: ids, results: results, repeated: &repeated)
    if let repeated { throw MergeProblem(rank: repeated, kind: .repeated) }
  }
}

/// A byte-level vocabulary while it is read: tokens by id and merges, as files spell them.
struct ByteLevelVocabulary {
  private(set) var tokens: TokenTable
  private(set) var merges: BPEMerges
  /// The token that the last merge made: the next usually makes the one after it, which saves looking it up.
  private var lastMade: Int32 = -1
  private var scratch: [UInt8] = []

  /// What is wrong with a token or a merge.
  struct Problem: Error {
    var reason: String
  }

  init(tokenCount: Int, mergeCount: Int) {
    tokens = TokenTable(minimumCapacity: tokenCount)
    merges = BPEMerges(minimumCapacity: mergeCount)
  }

  /// Adds the token with the next id; nil for an id without an ordinary token.
  mutating func append(_ spelling: UnsafeBufferPointer<UInt8>?) throws(Problem) {
    scratch.removeAll(keepingCapacity: true)
    var isSpelledInAlphabet = true
    if let spelling {
      if spelling.isEmpty { throw Problem(reason: "the token \(tokens.count) is empty") }
      // A token outside the alphabet is printed as it is spelled, and no text becomes it.
      isSpelledInAlphabet = ByteLevelAlphabet.append(spelling, to: &scratch)
      if !isSpelledInAlphabet { scratch.append(contentsOf: spelling) }
    }
    if !(scratch.withUnsafeBufferPointer { tokens.append($0, findable: isSpelledInAlphabet) }) {
      throw Problem(reason: "the token \(tokens.count - 1) stands for the same bytes as another")
    }
  }

  /// Adds the merge of the next rank.
  mutating func merge(
    _ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>
  ) throws(Problem) {
    scratch.removeAll(keepingCapacity: true)
    guard !left.isEmpty, !right.isEmpty, ByteLevelAlphabet.append(left, to: &scratch) else {
      throw Problem(reason: "expected two tokens")
    }
    let middle = scratch.count
    guard ByteLevelAlphabet.append(right, to: &scratch) else { throw Problem(reason: "expected two tokens") }
    let (leftID, rightID, id) = scratch.withUnsafeBufferPointer { bytes in
      (
        tokens.id(of: UnsafeBufferPointer(rebasing: bytes[..<middle])),
        tokens.id(of: UnsafeBufferPointer(rebasing: bytes[middle...])), made(bytes)
      )
    }
    guard let leftID, let rightID else {
      let missing = String(decoding: leftID == nil ? left : right, as: UTF8.self)
      throw Problem(reason: "the token \(String(reflecting: missing)) is not in the vocabulary")
    }
    guard let id else {
      let missing = String(decoding: left, as: UTF8.self) + String(decoding: right, as: UTF8.self)
      throw Problem(reason: "the result \(String(reflecting: missing)) is not in the vocabulary")
    }
    lastMade = id
    if !merges.append(leftID, rightID, id: id) { throw Problem(reason: "the pair occurs twice") }
  }

  private func made(_ bytes: UnsafeBufferPointer<UInt8>) -> Int32? {
    let next = Int(lastMade) + 1
    if next < tokens.count, tokens.isFindable(next), tokens.bytes(of: next).elementsEqual(bytes) { return Int32(next) }
    return tokens.id(of: bytes)
  }

  /// The merge that `"left right"` spells.
  mutating func merge(_ line: UnsafeBufferPointer<UInt8>) throws(Problem) {
    // The first character is never the separator: old files spell a token that is a space by itself.
    guard let space = line.dropFirst().firstIndex(of: UInt8(ascii: " ")) else {
      throw Problem(reason: "expected two tokens")
    }
    let right = UnsafeBufferPointer(rebasing: line[(space + 1)...])
    if right.contains(UInt8(ascii: " ")) { throw Problem(reason: "expected two tokens") }
    try merge(UnsafeBufferPointer(rebasing: line[..<space]), right)
  }
}

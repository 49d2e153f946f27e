/// The tokens of a WordPiece vocabulary: their bytes, and whether they begin a word or continue one.
struct WordPieceVocabulary: Sendable {
  /// By id, without the mark; empty where an id is a special token's or unused.
  private(set) var tokens: TokenBytes
  /// By id, whether the token continues a word.
  private(set) var continues: [Bool] = []

  init(minimumCapacity: Int) { tokens = TokenBytes(minimumCapacity: minimumCapacity) }

  var count: Int { tokens.count }

  /// Gives the next id to a token; an empty one reserves its id.
  mutating func append(_ token: some Collection<UInt8>, continues: Bool = false) {
    tokens.append(token)
    self.continues.append(continues)
  }

  /// The tokens that begin words, and those that continue them.
  func tries() -> (beginnings: ByteTrie, continuations: ByteTrie) {
    (ByteTrie(tokens) { !continues[$0] }, ByteTrie(tokens) { continues[$0] })
  }
}

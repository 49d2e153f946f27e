/// The tokens of a byte-level vocabulary while it is read, by id, as encoded in files.
struct ByteLevelVocabulary {
  private var tokens: TokenBytes
  private var hidden: Set<Int32> = []

  init(minimumCapacity: Int) { tokens = TokenBytes(minimumCapacity: minimumCapacity) }

  var count: Int { tokens.count }

  /// Adds the token with the next id; nil for an id without an ordinary token.
  mutating func append(_ spelling: UnsafeBufferPointer<UInt8>?) {
    guard let spelling else { return tokens.append([]) }
    // A token outside the alphabet is printed as is, and no text becomes it.
    if !tokens.append(spelledInAlphabet: spelling) {
      hidden.insert(Int32(count))
      tokens.append(spelling)
    }
  }

  func table() -> TokenTable { TokenTable(tokens, hidden: hidden) }
}

import NablaFormats

/// The tokens of `model.vocab` that text can become, in the order of their ids.
struct OrdinaryTokens {
  private let vocabulary: StoredVocabulary
  /// The entry of each id; -1 where an id has none.
  private var entries: [Int32]

  /// - Parameter entries: By id; -1 where an id has no ordinary token.
  init(_ vocabulary: StoredVocabulary, entries: [Int32]) {
    self.vocabulary = vocabulary
    self.entries = entries
  }

  /// The tokens of a list, whose indices are their ids.
  init(list: StoredVocabulary) { self.init(list, entries: Array(0..<Int32(list.count))) }

  /// One more than the largest id.
  var count: Int { entries.count }

  /// Removes the token of an id, if it has one.
  mutating func remove(_ id: Int) { if id < entries.count { entries[id] = -1 } }

  /// Calls `body` with each id from 0 on and its token, nil where it has none.
  func forEach(_ body: (_ id: Int, _ token: UnsafeBufferPointer<UInt8>?) throws -> Void) rethrows {
    try vocabulary.withTokens { token in
      for (id, entry) in entries.enumerated() { try body(id, entry < 0 ? nil : token(Int(entry))) }
    }
  }
}

extension TokenizerReader {
  /// All but the added ones that are found in text before the model sees it. An added token that is text stays: merges
  /// may produce it or pass through it.
  ///
  /// - Throws: ``TokenizerError`` when an id is invalid, occurs twice, or belongs to another added token.
  func ordinaryTokens(_ added: [SpecialToken]) throws -> OrdinaryTokens {
    guard let vocabulary = file.vocabulary, vocabulary.form == .object else {
      throw malformed("model.vocab", "expected an object")
    }
    var entries = [Int32](repeating: -1, count: 1 + Int(vocabulary.ids.max() ?? -1))
    let contents = TokenTable(added.map { Array($0.content.utf8) })
    // The ids that the contents of added tokens have in the vocabulary.
    var found = [Int32](repeating: -1, count: added.count)
    try vocabulary.withTokens { token in
      for (entry, id) in vocabulary.ids.enumerated() {
        if id < 0 { throw malformed(field(token(entry)), Self.expectedIdentifier) }
        guard entries[Int(id)] < 0 else {
          throw malformed(field(token(entry)), "the id \(id) is taken by an earlier token")
        }
        entries[Int(id)] = Int32(entry)
        if !token(entry).isEmpty, let index = contents.id(of: token(entry)).map({ Int($0) }),
          found[index] < 0 || id != added[index].id
        {
          found[index] = id
        }
      }
      for special in added {
        if let index = contents.id(of: special.content.utf8), found[Int(index)] >= 0, found[Int(index)] != special.id {
          throw malformed(
            "added_tokens", "\(special.content) has the id \(special.id) here and \(found[Int(index)]) in model.vocab")
        }
        guard Int(special.id) < entries.count, entries[Int(special.id)] >= 0 else { continue }
        let stored = token(Int(entries[Int(special.id)]))
        guard stored.elementsEqual(special.content.utf8) else {
          throw malformed(field(stored), "the id \(special.id) is the added token \(special.content)")
        }
        if special.isFoundBeforeModel { entries[Int(special.id)] = -1 }
      }
    }
    while entries.last == -1 { entries.removeLast() }
    return OrdinaryTokens(vocabulary, entries: entries)
  }

  /// - Throws: ``TokenizerError`` when two of the tokens are equal. Byte-level and piece vocabularies detect
  ///   that themselves.
  func checkSpellings(of tokens: OrdinaryTokens) throws {
    var bytes = TokenBytes(minimumCapacity: tokens.count)
    tokens.forEach { _, token in bytes.append(token ?? UnsafeBufferPointer(start: nil, count: 0)) }
    if let id = TokenTable(bytes).firstRepeated {
      let token = String(decoding: bytes[id], as: UTF8.self)
      throw malformed("model.vocab[\(String(reflecting: token))]", "the token occurs twice")
    }
  }

  /// The id of a token in `model.vocab`; nil when there is none.
  func identifier(ofToken token: String) throws -> Int32? {
    guard let vocabulary = file.vocabulary, let entry = vocabulary.entry(of: token.utf8) else { return nil }
    guard vocabulary.ids[entry] >= 0 else {
      throw malformed("model.vocab[\(String(reflecting: token))]", Self.expectedIdentifier)
    }
    return vocabulary.ids[entry]
  }

  private func field(_ token: UnsafeBufferPointer<UInt8>) -> String { "model.vocab[\(quoted(token))]" }

  func quoted(_ token: UnsafeBufferPointer<UInt8>) -> String {
    String(reflecting: String(decoding: token, as: UTF8.self))
  }
}

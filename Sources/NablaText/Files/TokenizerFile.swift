import NablaFormats

/// A `tokenizer.json` while it is read: the two long lists of its model in flat arrays, everything else as a tree.
///
/// As trees, a vocabulary of 150,000 tokens and 300,000 merges would be a million small allocations.
struct TokenizerFile {
  /// Everything but `model.vocab` and `model.merges`, which are null here.
  let root: JSONValue
  /// Nil when the model has none, or it is neither an object nor a list.
  private(set) var vocabulary: StoredVocabulary?
  /// Nil when the model has none, or it is not a list.
  private(set) var merges: StoredMerges?

  /// - Throws: `FileError` or `JSONError`.
  init(path: String) throws {
    var vocabulary: StoredVocabulary?
    var merges: StoredMerges?
    root = try JSONReader.read(path) { (reader) throws(JSONError) in
      // Offsets in the flat arrays are 32 bits wide.
      if reader.count > Int(Int32.max) { throw reader.failure("a tokenizer of more than 2 GiB is not supported") }
      guard reader.nextKind == .object else { return try reader.readValue() }
      let root = try reader.readObject { (key, reader) throws(JSONError) in
        guard key == "model", reader.nextKind == .object else { return try reader.readValue() }
        let model = try reader.readObject { (key, reader) throws(JSONError) in
          switch (key, reader.nextKind) {
          case ("vocab", .object), ("vocab", .array): vocabulary = try StoredVocabulary(&reader)
          case ("merges", .array): merges = try StoredMerges(&reader)
          default: return try reader.readValue()
          }
          return .null
        }
        return .object(model)
      }
      return .object(root)
    }
    self.vocabulary = vocabulary
    self.merges = merges
  }
}

import NablaFormats

/// Reads the JSON of a Hugging Face `tokenizer.json`; each method is a part of the file.
///
/// What a field asks for is either done exactly or refused by name: a tokenizer that is nearly right trains a model
/// that is quietly wrong.
struct TokenizerReader {
  let path: String
  let root: JSONValue

  /// Ids at or above this are refused: an id decides how much memory its tables take, and the largest vocabularies
  /// have a few hundred thousand.
  static let identifierLimit = 1 << 22

  func tokenizer() throws -> any Tokenizer {
    guard root.object != nil else { throw malformed("the file", "expected a JSON object") }
    try requireAbsent("normalizer")
    try checkPostProcessor()
    let added = try addedTokens()
    guard let model = root["model"], model.object != nil else { throw malformed("model", "expected an object") }
    // Files from before 2020 leave the type out; it was BPE when there were merges.
    switch model["type"]?.string ?? (model["merges"] != nil ? "BPE" : nil) {
    case "BPE": return try bytePairTokenizer(model, added)
    case "WordLevel": return try characterTokenizer(model, added)
    case let type:
      throw unsupported("model.type", type ?? "absent", "BPE (byte-level), WordLevel (single characters)")
    }
  }

  func malformed(_ field: String, _ reason: String) -> TokenizerError {
    .malformedFile(path: path, field: field, reason: reason)
  }

  func unsupported(_ field: String, _ found: String, _ supported: String) -> TokenizerError {
    .unsupported(path: path, field: field, found: found, supported: supported)
  }

  private func requireAbsent(_ field: String) throws {
    guard let value = root[field], value != .null else { return }
    throw unsupported(field, value["type"]?.string ?? "set", "null")
  }

  /// Accepts what leaves the ids of a text alone: `ByteLevel`, which moves offsets only, and the template that is the
  /// text itself, which `transformers` writes when a tokenizer adds nothing.
  private func checkPostProcessor() throws {
    guard let value = root["post_processor"], value != .null else { return }
    switch value["type"]?.string {
    case "ByteLevel": return
    case "TemplateProcessing":
      let single = value["single"]?.array ?? []
      guard single.count == 1, single[0]["Sequence"]?["id"]?.string == "A" else {
        throw unsupported("post_processor.single", "a template that adds tokens", "the text alone")
      }
    case let type:
      throw unsupported(
        "post_processor.type", type ?? "absent", "null, ByteLevel, TemplateProcessing of the text alone")
    }
  }

  private func addedTokens() throws -> [SpecialToken] {
    guard let value = root["added_tokens"], value != .null else { return [] }
    guard let list = value.array else { throw malformed("added_tokens", "expected an array") }
    var ids: Set<Int32> = []
    return try list.enumerated().map { index, token in
      let field = "added_tokens[\(index)]"
      guard let content = token["content"]?.string, !content.isEmpty else {
        throw malformed(field + ".content", "expected text that is not empty")
      }
      let id = try identifier(token["id"], field + ".id")
      guard ids.insert(id).inserted else { throw malformed(field + ".id", "\(id) is taken by an earlier token") }
      for option in ["single_word", "lstrip", "rstrip"] where token[option]?.bool == true {
        throw unsupported(field + "." + option, "true", "false")
      }
      return SpecialToken(content: content, id: id, isControl: token["special"]?.bool ?? false)
    }
  }

  private func identifier(_ value: JSONValue?, _ field: @autoclosure () -> String) throws -> Int32 {
    guard let id = value?.integer, (0..<Self.identifierLimit).contains(id) else {
      throw malformed(field(), "expected a token id from 0 to \(Self.identifierLimit - 1)")
    }
    return Int32(id)
  }

  /// The tokens of `model.vocab` that are not added tokens too, with their ids, each id once.
  func ordinaryTokens(_ model: JSONValue, _ added: [SpecialToken]) throws -> [(token: String, id: Int32)] {
    guard let vocabulary = model["vocab"]?.object else { throw malformed("model.vocab", "expected an object") }
    var contentOfID: [Int32: String] = [:]
    for token in added {
      contentOfID[token.id] = token.content
      if let id = vocabulary[token.content]?.integer, id != Int(token.id) {
        throw malformed("added_tokens", "\(token.content) has the id \(token.id) here and \(id) in model.vocab")
      }
    }
    var ids: Set<Int32> = []
    return try vocabulary.members.compactMap { member in
      let field = { "model.vocab[\(String(reflecting: member.key))]" }
      let id = try identifier(member.value, field())
      guard ids.insert(id).inserted else { throw malformed(field(), "the id \(id) is taken by an earlier token") }
      guard let content = contentOfID[id] else { return (member.key, id) }
      guard content.utf8.elementsEqual(member.key.utf8) else {
        throw malformed(field(), "the id \(id) is the added token \(content)")
      }
      return nil
    }
  }

  private func characterTokenizer(_ model: JSONValue, _ added: [SpecialToken]) throws -> CharacterTokenizer {
    let preTokenizer = root["pre_tokenizer"]
    guard preTokenizer?["type"]?.string == "Split", preTokenizer?["behavior"]?.string == "Isolated",
      preTokenizer?["pattern"]?["Regex"]?.string == CharacterTokenizer.pattern
    else {
      throw unsupported("pre_tokenizer", "of another form", "for WordLevel, Split of single characters (\\s\\S)")
    }
    var scalars: [Int32: Unicode.Scalar] = [:]
    for (token, id) in try ordinaryTokens(model, added) {
      let field = "model.vocab[\(String(reflecting: token))]"
      if token == model["unk_token"]?.string {
        throw unsupported("model.unk_token", "in the vocabulary", "a vocabulary without an unknown token")
      }
      guard token.unicodeScalars.count == 1, let scalar = token.unicodeScalars.first else {
        throw unsupported(field, "a token of \(token.unicodeScalars.count) characters", "single characters")
      }
      scalars[id] = scalar
    }
    return CharacterTokenizer(scalars: scalars, specialTokens: added)
  }
}

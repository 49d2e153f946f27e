import NablaFormats

/// Reads the JSON of a Hugging Face `tokenizer.json`; each method reads a part of the file.
///
/// Every field is either implemented exactly or rejected by name: a tokenizer that is almost right silently
/// trains a wrong model.
struct TokenizerReader {
  let path: String
  let file: TokenizerFile
  /// The tokens defined in the files next to it.
  let additions: TokenizerAdditions

  /// Ids at or above this are rejected: an id determines how much memory its tables take, and the largest vocabularies
  /// have a few hundred thousand.
  static let identifierLimit = 1 << 22
  static let expectedIdentifier = "expected a token id from 0 to \(identifierLimit - 1)"

  /// - Throws: `FileError` or `JSONError`.
  init(path: String, _ additions: TokenizerAdditions = TokenizerAdditions()) throws {
    (self.path, self.additions) = (path, additions)
    file = try TokenizerFile(path: path)
  }

  var root: JSONValue { file.root }

  func tokenizer() throws -> any Tokenizer {
    guard root.object != nil else { throw malformed("the file", "expected a JSON object") }
    let added = try additions.merged(into: addedTokens(), self)
    guard let model = root["model"], model.object != nil else { throw malformed("model", "expected an object") }
    // Files from before 2020 omit the type; it was BPE if there were merges.
    switch model["type"]?.string ?? (model["merges"] != nil ? "BPE" : nil) {
    case "BPE":
      let usesBytes =
        try parts("decoder", "decoders").contains { $0.value["type"]?.string == "ByteLevel" }
        || parts("pre_tokenizer", "pretokenizers").contains { $0.value["type"]?.string == "ByteLevel" }
      try checkOptions(model)
      return usesBytes ? try bytePairTokenizer(model, added) : try pieceMergesTokenizer(model, added)
    case "Unigram": return try unigramTokenizer(model, added)
    case "WordPiece": return try wordPieceTokenizer(model, added)
    case "WordLevel": return try characterTokenizer(model, added)
    case let type:
      throw unsupported("model.type", type ?? "absent", "BPE, Unigram, WordPiece, WordLevel (single characters)")
    }
  }

  func malformed(_ field: String, _ reason: String) -> TokenizerError {
    .malformedFile(path: path, field: field, reason: reason)
  }

  func unsupported(_ field: String, _ found: String, _ supported: String) -> TokenizerError {
    .unsupported(path: path, field: field, found: found, supported: supported)
  }

  /// The steps of a part that may be a `Sequence` of them, each with its field.
  func parts(_ field: String, _ listName: String) throws -> [(field: String, value: JSONValue)] {
    guard let value = root[field], value != .null else { return [] }
    func expand(_ field: String, _ value: JSONValue, depth: Int) throws -> [(field: String, value: JSONValue)] {
      guard value["type"]?.string == "Sequence" else { return [(field, value)] }
      guard let list = value[listName]?.array, depth < 8 else {
        throw malformed("\(field).\(listName)", "expected an array")
      }
      return try list.enumerated().flatMap { try expand("\(field).\(listName)[\($0)]", $1, depth: depth + 1) }
    }
    return try expand(field, value, depth: 0)
  }

  func normalizer() throws -> Normalizer? {
    let steps = try parts("normalizer", "normalizers").map { try normalizer($0.field, $0.value) }
    if steps.isEmpty { return nil }
    let whole = steps.count == 1 ? steps[0] : Normalizer.sequence(steps)
    if whole.growth > Normalizer.maximumGrowth {
      throw malformed(
        "normalizer",
        "it can make a text \(scaled(whole.growth, ["", " thousand", " million", " billion"])) "
          + "times longer; at most \(Int(Normalizer.maximumGrowth)) times is allowed")
    }
    return whole
  }

  private func normalizer(_ field: String, _ value: JSONValue) throws -> Normalizer {
    switch value["type"]?.string {
    case "Prepend":
      guard let text = value["prepend"]?.string else { throw malformed(field + ".prepend", "expected text") }
      return .prepend(text)
    case "Replace":
      guard let old = value["pattern"]?["String"]?.string, !old.isEmpty, let new = value["content"]?.string else {
        throw unsupported(field + ".pattern", value["pattern"]?.serialized() ?? "absent", "a String that is not empty")
      }
      return .replace(old, with: new)
    case "NFC": return .unicode(.nfc)
    case "NFD": return .unicode(.nfd)
    case "NFKC": return .unicode(.nfkc)
    case "NFKD": return .unicode(.nfkd)
    case "Precompiled":
      guard let map = value["precompiled_charsmap"]?.string.flatMap(Base64.decode).flatMap(PrecompiledMap.init) else {
        throw malformed(field + ".precompiled_charsmap", "expected a map of SentencePiece in base64")
      }
      return .precompiled(map)
    case "BertNormalizer": return .bert(bertNormalizer(value))
    case "Lowercase": return .lowercase
    case "Strip":
      return .strip(left: value["strip_left"]?.bool ?? true, right: value["strip_right"]?.bool ?? true)
    case let type:
      throw unsupported(
        field, type ?? "absent",
        "NFC, NFD, NFKC, NFKD, Prepend, Replace, Lowercase, Strip, Precompiled, BertNormalizer, Sequence")
    }
  }

  /// The tokens around a text. `ByteLevel` only changes offsets, not ids.
  func template(_ added: [SpecialToken]) throws -> TokenTemplate {
    var template = TokenTemplate()
    for (field, value) in try parts("post_processor", "processors") {
      let part: TokenTemplate
      switch value["type"]?.string {
      case "ByteLevel": continue
      case "TemplateProcessing": part = try templateProcessing(field, value)
      case "BertProcessing", "RobertaProcessing":
        part = TokenTemplate(
          prefix: [try templateToken(value["cls"]?.array?.last, field + ".cls")],
          suffix: [try templateToken(value["sep"]?.array?.last, field + ".sep")])
      case let type:
        throw unsupported(
          field, type ?? "absent", "ByteLevel, TemplateProcessing, BertProcessing, RobertaProcessing, Sequence")
      }
      template = TokenTemplate(prefix: part.prefix + template.prefix, suffix: template.suffix + part.suffix)
    }
    return template
  }

  private func templateProcessing(_ field: String, _ value: JSONValue) throws -> TokenTemplate {
    guard let single = value["single"]?.array else { throw malformed(field + ".single", "expected an array") }
    var edges: [[Int32]] = [[]]
    for (index, piece) in single.enumerated() {
      let place = "\(field).single[\(index)]"
      if piece["Sequence"]?["id"]?.string == "A" {
        edges.append([])
        continue
      }
      guard let name = piece["SpecialToken"]?["id"]?.string else {
        throw malformed(place, "expected a Sequence A or a SpecialToken")
      }
      guard let ids = value["special_tokens"]?[name]?["ids"]?.array, !ids.isEmpty else {
        throw malformed("\(field).special_tokens", "\(String(reflecting: name)) has no ids")
      }
      for id in ids { edges[edges.count - 1].append(try templateToken(id, place)) }
    }
    guard edges.count == 2 else { throw unsupported(field + ".single", "without just one Sequence", "the text once") }
    return TokenTemplate(prefix: edges[0], suffix: edges[1])
  }

  private func templateToken(_ value: JSONValue?, _ field: String) throws -> Int32 { try identifier(value, field) }

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
      var matching = SpecialToken.Matching()
      matching.isWholeWord = token["single_word"]?.bool ?? false
      matching.takesSpaceBefore = token["lstrip"]?.bool ?? false
      matching.takesSpaceAfter = token["rstrip"]?.bool ?? false
      matching.isNormalized = token["normalized"]?.bool ?? false
      return SpecialToken(
        content: content, id: id, isControl: token["special"]?.bool ?? false, matching: matching)
    }
  }

  func identifier(_ value: JSONValue?, _ field: @autoclosure () -> String) throws -> Int32 {
    guard let id = value?.integer, (0..<Self.identifierLimit).contains(id) else {
      throw malformed(field(), Self.expectedIdentifier)
    }
    return Int32(id)
  }

  private func characterTokenizer(_ model: JSONValue, _ added: [SpecialToken]) throws -> CharacterTokenizer {
    if root["normalizer"] ?? .null != .null { throw unsupported("normalizer", "set", "for WordLevel, null") }
    guard try template(added) == TokenTemplate() else {
      throw unsupported("post_processor", "one that adds tokens", "for WordLevel, none")
    }
    let preTokenizer = root["pre_tokenizer"]
    guard preTokenizer?["type"]?.string == "Split", preTokenizer?["behavior"]?.string == "Isolated",
      preTokenizer?["pattern"]?["Regex"]?.string == CharacterTokenizer.pattern
    else {
      throw unsupported("pre_tokenizer", "of another form", "for WordLevel, Split of single characters (\\s\\S)")
    }
    var scalars: [Int32: Unicode.Scalar] = [:]
    var ordinary = try ordinaryTokens(added)
    // Words among the added tokens are found before text is cut into characters.
    for token in added where token.content.unicodeScalars.count > 1 { ordinary.remove(Int(token.id)) }
    try checkSpellings(of: ordinary)
    try ordinary.forEach { id, bytes in
      guard let bytes else { return }
      let token = String(decoding: bytes, as: UTF8.self)
      let field = "model.vocab[\(String(reflecting: token))]"
      if token == model["unk_token"]?.string {
        throw unsupported("model.unk_token", "in the vocabulary", "a vocabulary without an unknown token")
      }
      guard token.unicodeScalars.count == 1, let scalar = token.unicodeScalars.first else {
        throw unsupported(field, "a token of \(token.unicodeScalars.count) characters", "single characters")
      }
      scalars[Int32(id)] = scalar
    }
    return CharacterTokenizer(scalars: scalars, specialTokens: added)
  }
}

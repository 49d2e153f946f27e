import NablaFormats
import NablaText

/// Puts the tokenizer of a Hugging Face folder into the metadata of a GGUF file, under the keys llama.cpp reads.
///
/// A tokenizer that llama.cpp has no name for is refused: with a nearly right one a model is quietly wrong.
struct GGUFTokenizerWriter {
  let folder: String
  /// Rows of the embedding; ids that the tokenizer does not use are filled.
  let vocabularySize: Int

  private static let prefix = "tokenizer.ggml."
  private var path: String { "\(folder)/tokenizer.json" }

  /// What a token is: llama.cpp's numbers.
  private enum Kind: Int32 {
    case normal = 1
    case unknown, control, userDefined, unused, byte
  }

  private func failure(_ problem: String) -> ModelFolderError { ModelFolderError(file: path, problem: problem) }

  func add(to metadata: inout GGUFMetadata) throws {
    guard pathExists(path) else {
      throw failure("is missing; a GGUF file holds its tokenizer, which is made from it")
    }
    let root = try JSONValue(contentsOfFile: path)
    guard let model = root["model"], let vocabulary = model["vocab"]?.object else {
      throw failure("its \"model\" has no table \"vocab\"; only byte-pair tokenizers can be written to GGUF")
    }
    guard model["type"]?.string ?? "BPE" == "BPE", let merges = model["merges"]?.array else {
      throw failure(
        "its \"model\" is of type \(model["type"]?.serialized() ?? "none"); only BPE can be written to GGUF")
    }
    let isSentencePiece = model["byte_fallback"]?.bool == true
    var (tokens, kinds) = try table(vocabulary, root, unknown: model["unk_token"]?.string, bytes: isSentencePiece)
    for id in tokens.indices where tokens[id].isEmpty && kinds[id] == .unused { tokens[id] = "[PAD\(id)]" }
    let pairs = try merges.enumerated().map { try pair($1, $0) }

    let key = Self.prefix
    metadata[key + "model"] = .string(isSentencePiece ? "llama" : "gpt2")
    metadata[key + "pre"] = .string(try isSentencePiece ? "default" : preTokenizer(root))
    metadata[key + "tokens"] = .array(GGUFArray(tokens))
    metadata[key + "token_type"] = .array(GGUFArray(kinds.map(\.rawValue)))
    if isSentencePiece {
      metadata[key + "scores"] = .array(GGUFArray(scores(tokens, pairs)))
      metadata[key + "add_space_prefix"] = .bool(addsSpacePrefix(root))
    } else {
      metadata[key + "merges"] = .array(GGUFArray(pairs.map { "\($0.0) \($0.1)" }))
    }
    try addRoles(root, vocabulary, to: &metadata)
  }

  /// Spellings and kinds by id.
  private func table(
    _ vocabulary: JSONObject, _ root: JSONValue, unknown: String?, bytes: Bool
  ) throws -> ([String], [Kind]) {
    var tokens = [String](repeating: "", count: vocabularySize)
    var kinds = [Kind](repeating: .unused, count: vocabularySize)
    func set(_ id: JSONValue?, _ token: String, _ kind: Kind) throws {
      guard let id = id?.integer, tokens.indices.contains(id) else {
        throw failure(
          "the token \(String(reflecting: token)) has no id below the model's vocabulary, \(vocabularySize)")
      }
      (tokens[id], kinds[id]) = (token, kind)
    }
    for member in vocabulary.members {
      let isByte = bytes && member.key.utf8.count == 6 && member.key.hasPrefix("<0x") && member.key.hasSuffix(">")
      try set(member.value, member.key, member.key == unknown ? .unknown : isByte ? .byte : .normal)
    }
    for token in root["added_tokens"]?.array ?? [] {
      guard let content = token["content"]?.string else { throw failure("an added token has no \"content\"") }
      let isControl = token["special"]?.bool ?? false
      try set(token["id"], content, content == unknown ? .unknown : isControl ? .control : .userDefined)
    }
    return (tokens, kinds)
  }

  private func pair(_ merge: JSONValue, _ index: Int) throws -> (String, String) {
    // Before 2024 a pair was one string with a space in it.
    if let parts = merge.array, parts.count == 2, let left = parts[0].string, let right = parts[1].string {
      return (left, right)
    }
    let parts = merge.string?.split(separator: " ", omittingEmptySubsequences: false) ?? []
    guard parts.count == 2 else { throw failure("merge \(index) is not a pair of tokens") }
    return (String(parts[0]), String(parts[1]))
  }

  /// llama.cpp's name for how text is cut before merging.
  private func preTokenizer(_ root: JSONValue) throws -> String {
    let value = root["pre_tokenizer"] ?? .null
    let steps = value["pretokenizers"]?.array ?? [value]
    let kinds = steps.map { $0["type"]?.string ?? "none" }
    guard let last = steps.last, kinds.last == "ByteLevel", last["add_prefix_space"]?.bool != true else {
      throw failure("its \"pre_tokenizer\" (\(kinds.joined(separator: ", "))) has no name in GGUF")
    }
    let usesPattern = last["use_regex"]?.bool ?? true
    switch kinds.dropLast() {
    case [] where usesPattern: return "gpt-2"
    case ["Digits"] where usesPattern && steps[0]["individual_digits"]?.bool == true: return "smollm"
    case ["Split"] where !usesPattern && steps[0]["behavior"]?.string == "Isolated":
      switch steps[0]["pattern"]?["Regex"]?.string {
      case PreTokenizer.llama3.pattern: return "llama-bpe"
      case PreTokenizer.qwen2.pattern: return "qwen2"
      default: break
      }
    default: break
    }
    throw failure(
      "its \"pre_tokenizer\" (\(kinds.joined(separator: ", "))) has no name in GGUF; those of GPT-2, SmolLM, Llama 3 and "
        + "Qwen 2 have")
  }

  /// SentencePiece merges the pair whose result has the highest score: the earlier a merge, the higher.
  private func scores(_ tokens: [String], _ merges: [(String, String)]) -> [Float] {
    var rank: [String: Int] = [:]
    for (index, pair) in merges.enumerated() where rank[pair.0 + pair.1] == nil { rank[pair.0 + pair.1] = index }
    return tokens.map { token in rank[token].map { -Float($0) } ?? (token.unicodeScalars.count > 1 ? 0 : -1e9) }
  }

  private func addsSpacePrefix(_ root: JSONValue) -> Bool {
    let normalizers = (root["normalizer"]?["normalizers"]?.array ?? []) + [root["normalizer"] ?? .null]
    if normalizers.contains(where: { $0["type"]?.string == "Prepend" }) { return true }
    let scheme = root["pre_tokenizer"]?["prepend_scheme"]?.string
    return scheme == "always" || scheme == "first"
  }

  /// The ids of tokens with a role, whether one begins every text, and the chat template.
  private func addRoles(_ root: JSONValue, _ vocabulary: JSONObject, to metadata: inout GGUFMetadata) throws {
    func read(_ name: String) throws -> JSONValue {
      pathExists("\(folder)/\(name)") ? try JSONValue(contentsOfFile: "\(folder)/\(name)") : .null
    }
    let (settings, map) = (try read("tokenizer_config.json"), try read("special_tokens_map.json"))
    let config = try read("config.json")
    func id(of content: String) -> Int? {
      root["added_tokens"]?.array?.first { $0["content"]?.string == content }?["id"]?.integer
        ?? vocabulary[content]?.integer
    }
    let roles = [
      ("bos_token", "bos_token_id"), ("eos_token", "eos_token_id"), ("unk_token", "unknown_token_id"),
      ("pad_token", "padding_token_id"),
    ]
    for (role, key) in roles {
      let value = settings[role] ?? map[role]
      let content = value?.string ?? value?["content"]?.string
      let configured = config["\(role)_id"]?.integer ?? config["\(role)_id"]?.array?.first?.integer
      if let id = content.flatMap(id(of:)) ?? (role == "unk_token" ? nil : configured), id >= 0 {
        metadata[Self.prefix + key] = .uint32(UInt32(clamping: id))
      }
    }
    let template = root["post_processor"]?["processors"]?.array?.last ?? root["post_processor"]
    let first = template?["single"]?.array?.first?["SpecialToken"]
    metadata[Self.prefix + "add_bos_token"] = .bool(settings["add_bos_token"]?.bool ?? (first != nil))
    if let text = settings["chat_template"]?.string { metadata["tokenizer.chat_template"] = .string(text) }
    let file = "\(folder)/chat_template.jinja"
    if pathExists(file) {
      metadata["tokenizer.chat_template"] = .string(
        try MappedFile(path: file).withBytes { String(decoding: $0, as: UTF8.self) })
    }
  }
}

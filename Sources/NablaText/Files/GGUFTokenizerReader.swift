import NablaFormats

/// Reads the tokenizer in the metadata of a GGUF file (`tokenizer.ggml.…`).
///
/// As with `tokenizer.json`, every field is implemented exactly or rejected by name.
struct GGUFTokenizerReader {
  let metadata: GGUFMetadata

  static let prefix = "tokenizer.ggml."

  /// The type of a token (`tokenizer.ggml.token_type`, llama.cpp's numbers).
  enum Kind: Int {
    case normal = 1
    case unknown, control, userDefined, unused, byte
  }

  func tokenizer() throws -> any Tokenizer {
    switch try metadata.string(Self.prefix + "model") {
    case "gpt2": return try byteLevelTokenizer()
    case "llama": return try pieceTokenizer(isUnigram: false)
    case "t5": return try pieceTokenizer(isUnigram: true)
    case "bert": return try wordPieceTokenizer()
    case let model:
      throw unsupported(
        "model", String(reflecting: model), "gpt2 (byte-level BPE), llama (SentencePiece BPE), t5 (unigram), bert")
    }
  }

  func malformed(_ key: String, _ reason: String) -> TokenizerError {
    .malformedFile(path: metadata.file, field: Self.prefix + key, reason: reason)
  }

  func unsupported(_ key: String, _ found: String, _ supported: String) -> TokenizerError {
    .unsupported(path: metadata.file, field: Self.prefix + key, found: found, supported: supported)
  }

  // MARK: Parts that all kinds share

  func tokens() throws -> GGUFArray {
    let tokens = try strings("tokens")
    guard tokens.count > 0, tokens.count <= TokenizerReader.identifierLimit else {
      throw malformed("tokens", "\(tokens.count) tokens; expected 1 to \(TokenizerReader.identifierLimit)")
    }
    return tokens
  }

  private func strings(_ key: String) throws -> GGUFArray {
    let array = try metadata.array(Self.prefix + key)
    guard array.kind == .string else { throw malformed(key, "expected an array of strings, not \(array)") }
    // Offsets in the flat arrays made of them are 32 bits wide.
    guard array.bytes.count <= Int(Int32.max) else { throw malformed(key, "more than 2 GiB are not supported") }
    return array
  }

  /// The type of each token; all normal if the file has none.
  func kinds(count: Int) throws -> [Kind] {
    guard metadata.has(Self.prefix + "token_type") else { return Array(repeating: .normal, count: count) }
    let numbers = try metadata.integers(Self.prefix + "token_type")
    guard numbers.count == count else {
      throw malformed("token_type", "\(numbers.count) types for \(count) tokens")
    }
    return try numbers.enumerated().map { id, number in
      // 0 is "undefined", which llama.cpp treats as normal.
      guard let kind = number == 0 ? .normal : Kind(rawValue: number) else {
        throw malformed("token_type", "the token \(id) has the unknown type \(number)")
      }
      return kind
    }
  }

  /// Tokens that are matched literally: control tokens and user-defined tokens.
  func specialTokens(_ tokens: GGUFArray, _ kinds: [Kind]) throws -> [SpecialToken] {
    var contents: Set<[UInt8]> = []
    return try kinds.enumerated().compactMap { id, kind in
      guard [.unknown, .control, .userDefined].contains(kind) else { return nil }
      let bytes = tokens.utf8(at: id)
      guard !bytes.isEmpty, let content = String(validating: bytes, as: UTF8.self) else {
        throw malformed("tokens", "the special token \(id) is empty or not UTF-8")
      }
      // llama.cpp keeps the first of equals; the others cannot be reached from text.
      guard contents.insert(Array(bytes)).inserted else { return nil }
      return SpecialToken(content: content, id: Int32(id), isControl: kind != .userDefined)
    }
  }

  /// The id under `key`, nil when it is absent.
  func identifier(_ key: String, count: Int) throws -> Int32? {
    guard metadata.has(Self.prefix + key) else { return nil }
    // Some files express "none" with an unused id, such as 2^32 - 1.
    let id = try metadata.integer(Self.prefix + key)
    return id < count ? Int32(id) : nil
  }

  /// The tokens around a text: `bos` before it and `eos` after it, if the file or the kind of tokenizer requires them.
  func template(
    count: Int, addsBOS: Bool, addsEOS: Bool = false, eos: String = "eos_token_id"
  ) throws -> TokenTemplate {
    func edge(_ flag: String, _ standard: Bool, _ key: String) throws -> [Int32] {
      guard try metadata.bool(Self.prefix + flag, default: standard) else { return [] }
      guard let id = try identifier(key, count: count) else {
        throw malformed(flag, "is true, but \(Self.prefix + key) names no token")
      }
      return [id]
    }
    return TokenTemplate(
      prefix: try edge("add_bos_token", addsBOS, "bos_token_id"), suffix: try edge("add_eos_token", addsEOS, eos))
  }

  // MARK: Byte-level BPE

  /// The meaning of llama.cpp's names of pre-tokenizers.
  struct Cut {
    var steps: [PreTokenizer]
    var prefersWholeWords = false
    var addsBOS = false
    var normalizer: Normalizer?
  }

  static func cut(_ name: String) -> Cut? {
    switch name {
    case "gpt-2", "phi-2", "mpt", "olmo", "gpt-neox", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "gigachat",
      "exaone4", "mellum", "modern-bert", "trillion", "jais", "granite-docling":
      return Cut(steps: [.gpt2])
    case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b":
      return Cut(steps: [.digits, .gpt2])
    case "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2":
      return Cut(steps: [.llama3], prefersWholeWords: true, addsBOS: true)
    case "dbrx", "smaug-bpe", "chatglm-bpe": return Cut(steps: [.llama3])
    case "glm4": return Cut(steps: [.llama3], prefersWholeWords: true)
    case "qwen2", "deepseek-r1-qwen", "megrez", "hunyuan":
      return Cut(steps: [.qwen2], normalizer: .unicode(.nfc))
    case "stablelm2", "grok-2", "solar-open": return Cut(steps: [.qwen2])
    case "qwen35": return Cut(steps: [.qwen35])
    case "tekken": return Cut(steps: [.tekken], prefersWholeWords: true, addsBOS: true)
    case "gpt-4o", "llama4": return Cut(steps: [.gpt4o])
    case "deepseek-v3", "hunyuan-dense": return Cut(steps: [.digitGroups, .chinese, .deepseek3])
    case "falcon": return Cut(steps: [.punctuation, .gpt2, .byteDigitRuns, .digitTriples])
    default: return nil
    }
  }

  private func byteLevelTokenizer() throws -> ByteLevelBPETokenizer {
    let name = try metadata.string(Self.prefix + "pre", default: "gpt-2")
    guard let cut = Self.cut(name) else {
      throw unsupported(
        "pre", String(reflecting: name),
        "gpt-2, smollm, starcoder, llama-bpe, qwen2, qwen35, tekken, gpt-4o, deepseek-v3, falcon and equivalents")
    }
    let tokens = try tokens()
    let kinds = try kinds(count: tokens.count)
    let special = try specialTokens(tokens, kinds)
    let merges = try strings("merges")
    // Merges may produce a user-defined token. If it is not ASCII it is spelled as text, and no merge produces it.
    let merged = Set(
      special.filter { !$0.isControl && $0.content.utf8.allSatisfy { (0x21...0x7E).contains($0) } }.map(\.id))
    var vocabulary = ByteLevelVocabulary(minimumCapacity: tokens.count)
    try tokens.withUTF8 { spelling in
      let (id, kind) = (vocabulary.count, kinds[vocabulary.count])
      let isOrdinary = kind == .normal || kind == .byte
      if isOrdinary, spelling.isEmpty { throw malformed("tokens", "the token \(id) is empty") }
      vocabulary.append(isOrdinary || merged.contains(Int32(id)) ? spelling : nil)
    }
    let table = vocabulary.table()
    if let id = table.firstRepeated {
      throw malformed("tokens", "the token \(id) has the same bytes as another")
    }
    let stored = StoredMerges(merges)
    let pairs: BPEMerges
    do throws(MergeProblem) {
      pairs = try byteLevelMerges(stored, table, special)
    } catch {
      throw malformed("merges[\(error.rank)]", error.reason(stored))
    }
    return ByteLevelBPETokenizer(
      tokens: table, merges: pairs, specialTokens: special, normalizer: cut.normalizer,
      preTokenizers: cut.steps, template: try template(count: tokens.count, addsBOS: cut.addsBOS),
      prefersWholeWords: cut.prefersWholeWords)
  }
}

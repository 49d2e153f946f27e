import NablaFormats

/// The parts of a Hugging Face `tokenizer.json` (format version 1.0) that every tokenizer here writes.
enum TokenizerJSON {
  static func document(
    model: JSONValue, normalizer: Normalizer? = nil, preTokenizer: JSONValue, template: TokenTemplate = TokenTemplate(),
    decoder: JSONValue, specialTokens: SpecialTokens
  ) -> String {
    let document: JSONValue = [
      "version": "1.0", "truncation": nil, "padding": nil,
      "added_tokens": .array(specialTokens.sorted { $0.id < $1.id }.map(addedToken)),
      "normalizer": normalizer?.json ?? nil, "pre_tokenizer": preTokenizer,
      "post_processor": postProcessor(template, specialTokens), "decoder": decoder, "model": model,
    ]
    return document.serialized(.indented) + "\n"
  }

  private static func addedToken(_ token: SpecialToken) -> JSONValue {
    [
      "id": .integer(Int(token.id)), "content": .string(token.content),
      "single_word": .bool(token.matching.isWholeWord), "lstrip": .bool(token.matching.takesSpaceBefore),
      "rstrip": .bool(token.matching.takesSpaceAfter), "normalized": .bool(token.matching.isNormalized),
      "special": .bool(token.isControl),
    ]
  }

  private static func postProcessor(_ template: TokenTemplate, _ special: SpecialTokens) -> JSONValue {
    if template == TokenTemplate() { return nil }
    func name(_ id: Int32) -> String { special.token(id)?.content ?? "token \(id)" }
    func pieces(_ ids: [Int32], _ type: Int) -> [JSONValue] {
      ids.map { ["SpecialToken": ["id": .string(name($0)), "type_id": .integer(type)]] }
    }
    func around(_ sequence: String, _ type: Int) -> [JSONValue] {
      pieces(template.prefix, type) + [["Sequence": ["id": .string(sequence), "type_id": .integer(type)]]]
        + pieces(template.suffix, type)
    }
    let tokens = (template.prefix + template.suffix).map { id -> (String, JSONValue) in
      (name(id), ["id": .string(name(id)), "ids": [.integer(Int(id))], "tokens": [.string(name(id))]])
    }
    return [
      "type": "TemplateProcessing", "single": .array(around("A", 0)), "pair": .array(around("A", 0) + around("B", 1)),
      "special_tokens": .object(JSONObject(tokens)),
    ]
  }

  /// The `vocab` of a model in the order of the ids. Special tokens are listed too: otherwise they would get the
  /// ids after the largest when Hugging Face loads the file.
  static func vocabulary(_ tokens: [(spelling: String, id: Int)], _ special: SpecialTokens) -> JSONObject {
    // An added token that is text may be an ordinary one too.
    let ordinary = Set(tokens.map(\.id))
    let all = tokens + special.filter { !ordinary.contains(Int($0.id)) }.map { ($0.content, Int($0.id)) }
    return JSONObject(all.sorted { $0.1 < $1.1 }.map { ($0.0, .integer($0.1)) })
  }

  static func byteLevel(addsPrefixSpace: Bool = false, usesPattern: Bool) -> JSONValue {
    [
      "type": "ByteLevel", "add_prefix_space": .bool(addsPrefixSpace), "trim_offsets": true,
      "use_regex": .bool(usesPattern),
    ]
  }

  static func split(pattern: String) -> JSONValue {
    ["type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated", "invert": false]
  }

  static func bytePairModel(vocabulary: JSONObject, merges: [JSONValue], prefersWholeWords: Bool = false) -> JSONValue {
    [
      "type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
      "fuse_unk": false, "byte_fallback": false, "ignore_merges": .bool(prefersWholeWords),
      "vocab": .object(vocabulary), "merges": .array(merges),
    ]
  }
}

extension ByteTokenizer {
  /// Byte-level BPE without merges whose ids are the byte values.
  public func tokenizerJSON() -> String {
    let bytes = ByteLevelAlphabet.scalars.enumerated().map { (spelling: String($1), id: $0) }
    let vocabulary = TokenizerJSON.vocabulary(bytes, specialTokens)
    return TokenizerJSON.document(
      model: TokenizerJSON.bytePairModel(vocabulary: vocabulary, merges: []),
      preTokenizer: TokenizerJSON.byteLevel(usesPattern: false),
      decoder: TokenizerJSON.byteLevel(usesPattern: false), specialTokens: specialTokens)
  }
}

extension CharacterTokenizer {
  /// A WordLevel model over single characters. Its unknown token is not in the vocabulary, so that an unknown
  /// character is an error there as it is here.
  public func tokenizerJSON() -> String {
    let characters = self.vocabulary.map { (spelling: String($0.scalar), id: Int($0.id)) }
    let vocabulary = TokenizerJSON.vocabulary(characters, specialTokens)
    return TokenizerJSON.document(
      model: ["type": "WordLevel", "vocab": .object(vocabulary), "unk_token": .string(Self.absentUnknownToken)],
      preTokenizer: TokenizerJSON.split(pattern: Self.pattern),
      decoder: ["type": "Fuse"], specialTokens: specialTokens)
  }

  static let absentUnknownToken = "<|unknown|>"
  /// Any one character, line feeds included.
  static let pattern = #"[\s\S]"#
}

extension ByteLevelBPETokenizer {
  public func tokenizerJSON() -> String {
    // An added token keeps its own spelling, unless merges form it too.
    let formed = Set(merges.pairs.map { merges.result(of: $0) })
    let tokens = (0..<vocabularySize).map { id in
      let added = formed.contains(Int32(id)) ? nil : specialTokens.token(Int32(id))?.content
      return (spelling: added ?? ByteLevelAlphabet.spelling(ordinaryBytes(id)), id: id)
    }
    let vocabulary = TokenizerJSON.vocabulary(tokens.filter { !$0.spelling.isEmpty }, specialTokens)
    let pairs = merges.pairs.map { pair -> JSONValue in
      [
        .string(ByteLevelAlphabet.spelling(ordinaryBytes(Int(pair.left)))),
        .string(ByteLevelAlphabet.spelling(ordinaryBytes(Int(pair.right)))),
      ]
    }
    return TokenizerJSON.document(
      model: TokenizerJSON.bytePairModel(
        vocabulary: vocabulary, merges: pairs, prefersWholeWords: prefersWholeWords),
      normalizer: normalizer, preTokenizer: preTokenizerJSON, template: template,
      decoder: TokenizerJSON.byteLevel(usesPattern: true), specialTokens: specialTokens)
  }

  private var preTokenizerJSON: JSONValue {
    func json(_ step: PreTokenizer) -> JSONValue? {
      switch step {
      case .none: nil
      case .digits, .digitRuns, .byteDigitRuns: ["type": "Digits", "individual_digits": .bool(step == .digits)]
      case .punctuation: ["type": "Punctuation", "behavior": "Contiguous"]
      default: TokenizerJSON.split(pattern: step.pattern!)
      }
    }
    // ByteLevel has GPT-2's pattern itself; the steps that look at bytes come after it.
    let after = preTokenizers.reversed().prefix { $0.cutsBytes }.count
    let before = preTokenizers.dropLast(after)
    let usesPattern = before.last == .gpt2
    let level = TokenizerJSON.byteLevel(addsPrefixSpace: addsPrefixSpace, usesPattern: usesPattern)
    let steps =
      before.dropLast(usesPattern ? 1 : 0).compactMap(json) + [level] + preTokenizers.suffix(after).compactMap(json)
    return steps.count == 1 ? level : ["type": "Sequence", "pretokenizers": .array(steps)]
  }
}

extension Normalizer {
  var json: JSONValue {
    switch self {
    case .prepend(let text): ["type": "Prepend", "prepend": .string(text)]
    case .replace(let old, let new):
      ["type": "Replace", "pattern": ["String": .string(old)], "content": .string(new)]
    case .unicode(let form): ["type": .string(form.rawValue.uppercased())]
    case .precompiled(let map):
      ["type": "Precompiled", "precompiled_charsmap": .string(Base64.encode(map.bytes))]
    case .bert(let normalizer):
      [
        "type": "BertNormalizer", "clean_text": .bool(normalizer.cleansText),
        "handle_chinese_chars": .bool(normalizer.separatesChinese), "strip_accents": .bool(normalizer.stripsAccents),
        "lowercase": .bool(normalizer.lowercases),
      ]
    case .lowercase: ["type": "Lowercase"]
    case .strip(let left, let right): ["type": "Strip", "strip_left": .bool(left), "strip_right": .bool(right)]
    case .sequence(let steps): ["type": "Sequence", "normalizers": .array(steps.map(\.json))]
    }
  }
}

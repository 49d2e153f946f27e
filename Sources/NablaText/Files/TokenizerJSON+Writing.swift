import NablaFormats

/// The parts of a Hugging Face `tokenizer.json` (format version 1.0) that every tokenizer here writes.
enum TokenizerJSON {
  static func document(
    model: JSONValue, preTokenizer: JSONValue, decoder: JSONValue, specialTokens: SpecialTokens
  ) -> String {
    let document: JSONValue = [
      "version": "1.0", "truncation": nil, "padding": nil,
      "added_tokens": .array(specialTokens.sorted { $0.id < $1.id }.map(addedToken)),
      "normalizer": nil, "pre_tokenizer": preTokenizer, "post_processor": nil, "decoder": decoder, "model": model,
    ]
    return document.serialized(.indented) + "\n"
  }

  private static func addedToken(_ token: SpecialToken) -> JSONValue {
    [
      "id": .integer(Int(token.id)), "content": .string(token.content), "single_word": false, "lstrip": false,
      "rstrip": false, "normalized": false, "special": .bool(token.isControl),
    ]
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
    let vocabulary = JSONObject(
      ByteLevelAlphabet.scalars.enumerated().map { (String($1), .integer($0)) })
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
    let vocabulary = JSONObject(self.vocabulary.map { (String($0.scalar), .integer(Int($0.id))) })
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
    var vocabulary = JSONObject()
    for id in 0..<vocabularySize {
      let bytes = ordinaryBytes(id)
      if let token = specialTokens.token(Int32(id)) {
        vocabulary[token.content] = .integer(id)
      } else if !bytes.isEmpty {
        vocabulary[ByteLevelAlphabet.spelling(bytes)] = .integer(id)
      }
    }
    let merges = self.merges.pairs.map { pair -> JSONValue in
      [
        .string(ByteLevelAlphabet.spelling(ordinaryBytes(Int(pair.left)))),
        .string(ByteLevelAlphabet.spelling(ordinaryBytes(Int(pair.right)))),
      ]
    }
    return TokenizerJSON.document(
      model: TokenizerJSON.bytePairModel(
        vocabulary: vocabulary, merges: merges, prefersWholeWords: prefersWholeWords),
      preTokenizer: preTokenizerJSON,
      decoder: TokenizerJSON.byteLevel(usesPattern: true), specialTokens: specialTokens)
  }

  private var preTokenizerJSON: JSONValue {
    guard let pattern = preTokenizer.pattern, preTokenizer != .gpt2 else {
      return TokenizerJSON.byteLevel(addsPrefixSpace: addsPrefixSpace, usesPattern: preTokenizer == .gpt2)
    }
    return [
      "type": "Sequence",
      "pretokenizers": [
        TokenizerJSON.split(pattern: pattern),
        TokenizerJSON.byteLevel(usesPattern: false),
      ],
    ]
  }
}

import NablaFormats

extension PieceTokenizer {
  public func tokenizerJSON() -> String {
    TokenizerJSON.document(
      model: modelJSON, normalizer: normalizer, preTokenizer: metaspace?.json ?? nil, template: template,
      decoder: decoderJSON, specialTokens: specialTokens)
  }

  /// The text of every id in a file; empty where an id has none.
  func spellings() -> [String] {
    let bytes = Dictionary(uniqueKeysWithValues: vocabulary.byteTokens.map { ($1, $0) })
    return (0..<Int32(vocabularySize)).map { id in
      if let token = specialTokens.token(id) { return token.content }
      if let byte = bytes[id] { return PieceVocabulary.spelling(byte) }
      return Int(id) < vocabulary.pieces.count
        ? String(decoding: vocabulary.pieces.bytes(of: Int(id)), as: UTF8.self) : ""
    }
  }

  private var modelJSON: JSONValue {
    let spellings = spellings()
    let fallsBack = JSONValue.bool(vocabulary.fallsBackToBytes)
    switch model {
    case .unigram(let unigram):
      let pieces = spellings.enumerated().map { id, piece -> JSONValue in
        [.string(piece), .number(id < unigram.scores.count ? unigram.scores[id] : 0)]
      }
      return [
        "type": "Unigram", "unk_id": vocabulary.unknown.map { .integer(Int($0)) } ?? nil, "vocab": .array(pieces),
        "byte_fallback": fallsBack,
      ]
    case .merges(let merges):
      let vocab = spellings.enumerated().filter { !$1.isEmpty }.map { ($1, JSONValue.integer($0)) }
      let pairs = merges.merges.pairs.map { pair -> JSONValue in
        [.string(spellings[Int(pair.left)]), .string(spellings[Int(pair.right)])]
      }
      return [
        "type": "BPE", "dropout": nil, "unk_token": vocabulary.unknown.map { .string(spellings[Int($0)]) } ?? nil,
        "continuing_subword_prefix": nil, "end_of_word_suffix": nil, "fuse_unk": .bool(vocabulary.fusesUnknown),
        "byte_fallback": fallsBack, "ignore_merges": false, "vocab": .object(JSONObject(vocab)),
        "merges": .array(pairs),
      ]
    }
  }

  private var decoderJSON: JSONValue {
    var steps: [JSONValue] = []
    if vocabulary.fallsBackToBytes { steps.append(["type": "ByteFallback"]) }
    if firstPiece == .dropsMarks {
      steps.append([
        "type": "Metaspace", "replacement": .string(Metaspace.mark), "prepend_scheme": "always", "split": true,
      ])
    } else {
      let spaces: JSONValue = ["type": "Replace", "pattern": ["String": .string(Metaspace.mark)], "content": " "]
      steps = [spaces] + steps + [["type": "Fuse"]]
    }
    if firstPiece == .dropsSpace { steps.append(["type": "Strip", "content": " ", "start": 1, "stop": 0]) }
    return steps.count == 1 ? steps[0] : ["type": "Sequence", "decoders": .array(steps)]
  }
}

extension Metaspace {
  var json: JSONValue {
    let metaspace: JSONValue = [
      "type": "Metaspace", "replacement": .string(Metaspace.mark), "prepend_scheme": .string(prepending.rawValue),
      "split": .bool(splits),
    ]
    return dropsWhitespace
      ? ["type": "Sequence", "pretokenizers": [["type": "WhitespaceSplit"], metaspace]] : metaspace
  }
}

extension WordPieceTokenizer {
  public func tokenizerJSON() -> String {
    let vocabulary = spellings().enumerated().filter { !$1.isEmpty }.map { ($1, JSONValue.integer($0)) }
    return TokenizerJSON.document(
      model: [
        "type": "WordPiece", "unk_token": .string(spellings()[Int(unknown)]),
        "continuing_subword_prefix": .string(Self.mark), "max_input_chars_per_word": .integer(longestWord),
        "vocab": .object(JSONObject(vocabulary)),
      ],
      normalizer: normalizer, preTokenizer: ["type": "BertPreTokenizer"], template: template,
      decoder: ["type": "WordPiece", "prefix": .string(Self.mark), "cleanup": .bool(cleansUp)],
      specialTokens: specialTokens)
  }

  func spellings() -> [String] {
    (0..<vocabularySize).map { id in
      if let token = specialTokens.token(Int32(id)) { return token.content }
      if id >= vocabulary.count || vocabulary.tokens.isEmpty(id) { return "" }
      return (vocabulary.continues[id] ? Self.mark : "") + String(decoding: vocabulary.tokens[id], as: UTF8.self)
    }
  }
}

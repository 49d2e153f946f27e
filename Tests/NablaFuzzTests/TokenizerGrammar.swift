import Nabla

/// Writes random `tokenizer.json` files: every kind of tokenizer that is read, each of parts that fit it, with contents
/// that no trainer made. Every fourth file has one part from another kind, or something else in its place.
struct TokenizerGrammar {
  enum Kind: CaseIterable { case byteLevel, characterMerges, unigram, wordPiece, characters }

  var random: SplitMix

  init(number: Int) { random = SplitMix(state: UInt64(bitPattern: Int64(number)) &* 0x9E37_79B9_7F4A_7C15 ^ 0x70) }

  mutating func tokenizer() -> JSONValue {
    var parts = parts(of: one(of: Kind.allCases))
    if chance(4) {
      let name = one(of: parts.keys)
      parts[name] = chance(4) ? .integer(3) : self.parts(of: one(of: Kind.allCases))[name]
    }
    return .object(parts)
  }

  private mutating func parts(of kind: Kind) -> JSONObject {
    let vocabulary = vocabulary(of: kind)
    let fallsBack = vocabulary.pieces.contains("<0x00>")
    return JSONObject([
      ("model", vocabulary.model), ("added_tokens", .array(addedTokens(beside: vocabulary.pieces))),
      ("normalizer", kind == .characters || chance(4) ? .null : normalizers()),
      ("pre_tokenizer", preTokenizer(of: kind)), ("post_processor", kind == .characters ? .null : postProcessor()),
      ("decoder", decoder(of: kind, fallsBack: fallsBack)),
    ])
  }

  mutating func one<Item>(of items: [Item]) -> Item { items.randomElement(using: &random)! }
  mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

  mutating func text() -> String {
    switch Int.random(in: 0..<8, using: &random) {
    case 0: String(repeating: "a", count: one(of: [1, 10, 100, 10_000]))
    case 1: "\u{2581}"
    case 2: "\u{FDFA}e\u{301}\u{1F469}\u{200D}\u{1F469}"
    case 3: "\u{0}\u{120}"
    default: one(of: ["a", "b", "ab", " ", "the", "<unk>", "<s>", "##a", "<0x0A>", "∇"])
    }
  }

  /// Steps alone, or in sequences of sequences.
  private mutating func sequence(_ list: String, _ steps: [JSONValue]) -> JSONValue {
    if steps.count == 1, chance(2) { return steps[0] }
    let cut = Int.random(in: 0...steps.count, using: &random)
    if cut > 0, cut < steps.count, chance(2) {
      return [
        "type": "Sequence",
        list: [sequence(list, Array(steps[..<cut])), sequence(list, Array(steps[cut...]))],
      ]
    }
    return ["type": "Sequence", list: .array(steps)]
  }

  // MARK: Parts

  private mutating func normalizers() -> JSONValue {
    let count = chance(8) ? Int.random(in: 0...10, using: &random) : Int.random(in: 1...2, using: &random)
    return sequence("normalizers", (0..<count).map { _ in normalizer() })
  }

  private mutating func normalizer() -> JSONValue {
    switch Int.random(in: 0..<8, using: &random) {
    case 0: ["type": .string(one(of: ["NFC", "NFD", "NFKC", "NFKD", "Lowercase"]))]
    case 1: ["type": "Prepend", "prepend": .string(text())]
    case 2: ["type": "Strip", "strip_left": .bool(chance(2)), "strip_right": .bool(chance(2))]
    case 3:
      [
        "type": "BertNormalizer", "clean_text": .bool(chance(2)), "handle_chinese_chars": .bool(chance(2)),
        "strip_accents": chance(2) ? .null : .bool(chance(2)), "lowercase": .bool(chance(2)),
      ]
    case 4 where chance(4):
      ["type": "Precompiled", "precompiled_charsmap": .string(one(of: ["", "AAAA", "BAAAAAAAAAA="]))]
    case 5: ["type": "Replace", "pattern": ["String": " "], "content": "\u{2581}"]
    default:
      [
        "type": "Replace", "pattern": [chance(20) ? "Regex" : "String": .string(text())], "content": .string(text()),
      ]
    }
  }

  private mutating func preTokenizer(of kind: Kind) -> JSONValue {
    switch kind {
    case .byteLevel:
      var steps: [JSONValue] = []
      for _ in 0..<one(of: [0, 0, 1, 2, 3]) {
        steps.append(
          one(of: [
            ["type": "Punctuation", "behavior": "Contiguous"],
            ["type": "Digits", "individual_digits": .bool(chance(2))],
            [
              "type": "Split", "behavior": "Isolated", "invert": false,
              "pattern": ["Regex": .string(one(of: PreTokenizer.allCases.compactMap(\.pattern)))],
            ],
          ]))
      }
      steps.append([
        "type": "ByteLevel", "add_prefix_space": .bool(steps.isEmpty && chance(2)), "trim_offsets": true,
        "use_regex": .bool(chance(2)),
      ])
      if chance(6) { steps.append(["type": "Digits", "individual_digits": false]) }
      return sequence("pretokenizers", steps)
    case .characterMerges, .unigram:
      if chance(4) { return .null }
      let steps: [JSONValue] = chance(4) ? [["type": "WhitespaceSplit"]] : []
      return sequence(
        "pretokenizers",
        steps + [
          [
            "type": "Metaspace", "replacement": "\u{2581}",
            "prepend_scheme": .string(one(of: ["always", "first", "never"])), "split": .bool(chance(2)),
          ]
        ])
    case .wordPiece: return ["type": "BertPreTokenizer"]
    case .characters:
      return ["type": "Split", "pattern": ["Regex": "[\\s\\S]"], "behavior": "Isolated", "invert": false]
    }
  }

  private mutating func postProcessor() -> JSONValue {
    switch Int.random(in: 0..<6, using: &random) {
    case 0: ["type": "ByteLevel", "trim_offsets": true]
    case 1:
      [
        "type": "TemplateProcessing",
        "single": [["SpecialToken": ["id": "<s>", "type_id": 0]], ["Sequence": ["id": "A", "type_id": 0]]],
        "special_tokens": ["<s>": ["id": "<s>", "ids": [.integer(one(of: [0, 1, 300, 1 << 20]))], "tokens": ["<s>"]]],
      ]
    case 2: ["type": "BertProcessing", "sep": ["[SEP]", .integer(one(of: [2, 1 << 20]))], "cls": ["[CLS]", 1]]
    default: .null
    }
  }

  private mutating func decoder(of kind: Kind, fallsBack: Bool) -> JSONValue {
    switch kind {
    case .byteLevel: return ["type": "ByteLevel"]
    case .wordPiece: return ["type": "WordPiece", "prefix": "##", "cleanup": .bool(chance(2))]
    case .characters: return .null
    case .characterMerges, .unigram:
      var steps: [JSONValue] = [
        one(of: [
          ["type": "Replace", "pattern": ["String": "\u{2581}"], "content": " "],
          ["type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always"],
        ])
      ]
      if fallsBack || chance(3) { steps.append(["type": "ByteFallback"]) }
      if chance(2) { steps.append(["type": "Fuse"]) }
      if chance(2) { steps.append(["type": "Strip", "content": " ", "start": .integer(one(of: [0, 1])), "stop": 0]) }
      return sequence("decoders", steps)
    }
  }

  /// New tokens, and pieces of the vocabulary under their own ids.
  private mutating func addedTokens(beside pieces: [String]) -> [JSONValue] {
    let start = chance(8) ? 1 << 20 : pieces.count
    return (0..<Int.random(in: 0...3, using: &random)).map { index in
      var (id, content) = (start + index, "<\(index)>" + text())
      if chance(4), let piece = pieces.indices.randomElement(using: &random) { (id, content) = (piece, pieces[piece]) }
      if chance(40) { id = one(of: [0, 1, 5, 1 << 33, -1]) }
      return [
        "id": .integer(id), "content": .string(content), "special": .bool(chance(2)), "single_word": .bool(chance(3)),
        "lstrip": .bool(chance(3)), "rstrip": .bool(chance(3)), "normalized": .bool(chance(2)),
      ]
    }
  }
}

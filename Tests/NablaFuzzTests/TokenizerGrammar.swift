import Nabla

/// Writes random `tokenizer.json` files that mostly have the right form: every kind of model, normalizer and
/// pre-tokenizer, in combinations and with contents that no trainer made.
struct TokenizerGrammar {
  var random: SplitMix

  init(number: Int) { random = SplitMix(state: UInt64(bitPattern: Int64(number)) &* 0x9E37_79B9_7F4A_7C15 ^ 0x70) }

  mutating func tokenizer() -> JSONValue {
    var object = JSONObject([
      ("version", "1.0"), ("truncation", .null), ("padding", .null), ("added_tokens", .array(addedTokens())),
      ("normalizer", sometimesNull { $0.sequence("normalizers", depth: 0) { $0.normalizer() } }),
      ("pre_tokenizer", sometimesNull { $0.sequence("pretokenizers", depth: 0) { $0.preTokenizer() } }),
      ("post_processor", .null), ("decoder", sometimesNull { $0.sequence("decoders", depth: 0) { $0.decoder() } }),
      ("model", model()),
    ])
    if chance(20) { object[one(of: ["model", "normalizer", "decoder", "added_tokens"])] = .integer(3) }
    return .object(object)
  }

  private mutating func one<Item>(of items: [Item]) -> Item { items.randomElement(using: &random)! }
  private mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

  private mutating func sometimesNull(_ make: (inout Self) -> JSONValue) -> JSONValue {
    chance(4) ? .null : make(&self)
  }

  private mutating func sequence(_ list: String, depth: Int, _ make: (inout Self) -> JSONValue) -> JSONValue {
    if depth > 9 || chance(2) { return make(&self) }
    let count = Int.random(in: 0...10, using: &random)
    return ["type": "Sequence", list: .array((0..<count).map { _ in sequence(list, depth: depth + 3, make) })]
  }

  private mutating func text() -> String {
    switch Int.random(in: 0..<8, using: &random) {
    case 0: ""
    case 1: String(repeating: "a", count: one(of: [1, 10, 100, 10_000]))
    case 2: "\u{2581}"
    case 3: "\u{FDFA}e\u{301}\u{1F469}\u{200D}\u{1F469}"
    case 4: "\u{0}\u{120}"
    default: one(of: ["a", "b", "ab", " ", "the", "<unk>", "<s>", "##a", "<0x0A>"])
    }
  }

  private mutating func normalizer() -> JSONValue {
    switch Int.random(in: 0..<8, using: &random) {
    case 0: ["type": .string(one(of: ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Nmt", "StripAccents"]))]
    case 1: ["type": "Prepend", "prepend": .string(text())]
    case 2: ["type": "Strip", "strip_left": .bool(chance(2)), "strip_right": .bool(chance(2))]
    case 3:
      [
        "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": .bool(chance(2)), "strip_accents": .null,
        "lowercase": true,
      ]
    case 4: ["type": "Precompiled", "precompiled_charsmap": .string(one(of: ["", "AAAA", "BAAAAAAAAAA="]))]
    default:
      [
        "type": "Replace", "pattern": [one(of: ["String", "String", "Regex"]): .string(text())],
        "content": .string(text()),
      ]
    }
  }

  private mutating func preTokenizer() -> JSONValue {
    switch Int.random(in: 0..<6, using: &random) {
    case 0:
      ["type": "ByteLevel", "add_prefix_space": .bool(chance(2)), "trim_offsets": true, "use_regex": .bool(chance(2))]
    case 1:
      [
        "type": "Metaspace", "replacement": .string(one(of: ["\u{2581}", "_", ""])),
        "prepend_scheme": .string(one(of: ["always", "first", "never"])), "split": .bool(chance(2)),
      ]
    case 2: ["type": "Digits", "individual_digits": .bool(chance(2))]
    case 3:
      [
        "type": "Split", "pattern": ["Regex": .string(one(of: ["\\d{1,3}", "(a*)*b", "[", " ?\\p{L}+"]))],
        "behavior": "Isolated", "invert": .bool(chance(2)),
      ]
    case 4: ["type": .string(one(of: ["Whitespace", "BertPreTokenizer", "WhitespaceSplit", "Punctuation"]))]
    default:
      ["type": "Split", "pattern": ["String": .string(text())], "behavior": "MergedWithPrevious", "invert": false]
    }
  }

  private mutating func decoder() -> JSONValue {
    switch Int.random(in: 0..<4, using: &random) {
    case 0: ["type": .string(one(of: ["ByteLevel", "ByteFallback", "Fuse", "WordPiece", "BPEDecoder"]))]
    case 1: ["type": "Replace", "pattern": ["String": .string(text())], "content": .string(text())]
    case 2: ["type": "Strip", "content": " ", "start": .integer(one(of: [0, 1, 1 << 40, -1])), "stop": 0]
    default: ["type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always"]
    }
  }

  private mutating func addedTokens() -> [JSONValue] {
    (0..<Int.random(in: 0...3, using: &random)).map { index in
      [
        "id": .integer(chance(12) ? one(of: [0, 1, 5, 1 << 33, -1]) : 300 + index),
        "content": .string(chance(12) ? text() : "<\(index)>" + text()), "special": .bool(chance(2)),
        "single_word": .bool(chance(3)), "lstrip": .bool(chance(3)), "rstrip": .bool(chance(3)),
        "normalized": .bool(chance(2)),
      ]
    }
  }

  private mutating func model() -> JSONValue {
    var vocabulary = JSONObject()
    var pieces: [String] = []
    for piece in ["<unk>", "a", "b", "c", "ab", "abc", "\u{2581}", "\u{2581}a", "##a"] where !chance(8) {
      pieces.append(piece)
    }
    for _ in 0..<Int.random(in: 0...8, using: &random) {
      let piece = text()
      if !pieces.contains(piece) { pieces.append(piece) }
    }
    for (id, piece) in pieces.enumerated() { vocabulary[piece] = .integer(chance(40) ? 1 << 40 : id) }
    switch Int.random(in: 0..<4, using: &random) {
    case 0, 1:
      let merges: [JSONValue] = (0..<Int.random(in: 0...6, using: &random)).map { _ in
        let pair = (one(of: ["a", "b", "ab", text()]), one(of: ["b", "c", "", text()]))
        return chance(2) ? .string("\(pair.0) \(pair.1)") : [.string(pair.0), .string(pair.1)]
      }
      return [
        "type": "BPE", "dropout": .null, "unk_token": chance(2) ? .null : "<unk>", "byte_fallback": .bool(chance(2)),
        "fuse_unk": true, "ignore_merges": .bool(chance(6)), "vocab": .object(vocabulary),
        "merges": .array(merges),
      ]
    case 2:
      return [
        "type": "Unigram", "unk_id": .integer(chance(6) ? one(of: [1, 99, -1]) : 0), "byte_fallback": .bool(chance(2)),
        "vocab": .array(pieces.map { [.string($0), .number(one(of: [-1.5, 0, 1e300, -1e300]))] }),
      ]
    default:
      return [
        "type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": .integer(one(of: [100, 0, 1 << 40])), "vocab": .object(vocabulary),
      ]
    }
  }
}

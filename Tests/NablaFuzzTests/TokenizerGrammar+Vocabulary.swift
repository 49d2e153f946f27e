import Nabla

extension TokenizerGrammar {
  /// The pieces by id, and the model that has them.
  mutating func vocabulary(of kind: Kind) -> (pieces: [String], model: JSONValue) {
    switch kind {
    case .byteLevel:
      // A file now and then lacks a few bytes, so that some texts cannot be encoded.
      let lacking = chance(8) ? Int.random(in: 1...4, using: &random) : 0
      let (pieces, merges) = merged(Array(Self.byteSpellings.shuffled(using: &random).dropFirst(lacking)))
      return (pieces, mergesModel(pieces, merges, unknown: nil, fallsBack: false))
    case .characterMerges:
      let fallsBack = chance(2)
      let (pieces, merges) = merged(Self.letters.shuffled(using: &random))
      let all = pieces + ["<unk>"] + (fallsBack ? Self.byteTokens : [])
      return (all, mergesModel(all, merges, unknown: chance(4) ? nil : "<unk>", fallsBack: fallsBack))
    case .unigram:
      let fallsBack = chance(2)
      let pieces = ["<unk>"] + extended(Self.letters) + (fallsBack ? Self.byteTokens : [])
      let scores = chance(8) ? [-1.5, 0, 1e300, -1e300] : [-1.5, -3, 0, -10]
      return (
        pieces,
        [
          "type": "Unigram", "unk_id": chance(20) ? .integer(one(of: [99_999, -1])) : 0,
          "byte_fallback": .bool(fallsBack),
          "vocab": .array(pieces.map { [.string($0), .number(one(of: scores))] }),
        ]
      )
    case .wordPiece:
      let pieces = ["[UNK]", "[CLS]", "[SEP]"] + extended(Self.letters + Self.letters.map { "##" + $0 })
      return (
        pieces,
        [
          "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
          "max_input_chars_per_word": .integer(one(of: [100, 1, 1 << 40])), "vocab": .object(numbered(pieces)),
        ]
      )
    case .characters:
      let pieces = Self.letters.filter { $0.unicodeScalars.count == 1 }
      return (pieces, ["type": "WordLevel", "unk_token": "<unk>", "vocab": .object(numbered(pieces))])
    }
  }

  /// Pieces that merges make of these and of what they made before, sometimes doubling the longest.
  private mutating func merged(_ start: [String]) -> (pieces: [String], merges: [(String, String)]) {
    var (pieces, known, merges) = (start, Set(start), [(String, String)]())
    for _ in 0..<Int.random(in: 0...40, using: &random) {
      let left = chance(4) ? pieces[pieces.count - 1] : one(of: pieces)
      let right = chance(4) ? left : one(of: pieces)
      // No text has a spelling of more than a few thousand characters.
      guard left.utf8.count + right.utf8.count < 5_000, known.insert(left + right).inserted else { continue }
      pieces.append(left + right)
      merges.append((left, right))
    }
    return (pieces, merges)
  }

  /// These, without some, and with others.
  private mutating func extended(_ start: [String]) -> [String] {
    var pieces = start.filter { _ in !chance(20) }
    for _ in 0..<Int.random(in: 0...8, using: &random) {
      let piece = text()
      if !pieces.contains(piece), piece != "<unk>", !piece.hasPrefix("<0x") { pieces.append(piece) }
    }
    return pieces
  }

  private mutating func mergesModel(
    _ pieces: [String], _ merges: [(String, String)], unknown: String?, fallsBack: Bool
  ) -> JSONValue {
    let asPairs = chance(2) || merges.contains { $0.0.contains(" ") || $0.1.contains(" ") }
    var list = merges.map { left, right -> JSONValue in
      asPairs ? [.string(left), .string(right)] : .string("\(left) \(right)")
    }
    if chance(20) { list.append(.string(text() + " " + text())) }
    return [
      "type": "BPE", "dropout": .null, "unk_token": unknown.map { .string($0) } ?? .null,
      "byte_fallback": .bool(fallsBack), "fuse_unk": .bool(chance(2)), "ignore_merges": .bool(chance(20)),
      "vocab": .object(numbered(pieces)), "merges": .array(list),
    ]
  }

  /// Ids in order, with a hole or a number that is no id now and then.
  private mutating func numbered(_ pieces: [String]) -> JSONObject {
    let damaged = chance(20) ? pieces.indices.randomElement(using: &random) : nil
    return JSONObject(
      pieces.enumerated().map { id, piece in (piece, .integer(id == damaged ? one(of: [1 << 40, -1, 1 << 20]) : id)) })
  }

  /// Of the text that is encoded, and some beside.
  private static let letters = ["Th", "##"] + Set("The ∇ é123 \u{1F600}\nabc\u{2581}".map { String($0) }).sorted()
  private static let byteTokens = (0..<256).map { byte in
    let digits = String(byte, radix: 16, uppercase: true)
    return "<0x" + (digits.count == 1 ? "0" : "") + digits + ">"
  }
  /// The characters that stand for bytes in files of byte-level BPE: printable ones for themselves, others from U+0100 on.
  private static let byteSpellings: [String] = {
    var next: UInt32 = 0x100
    return (0..<256).map { (byte: UInt32) -> String in
      let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
      defer { if !isPrintable { next += 1 } }
      return String(Character(UnicodeScalar(isPrintable ? byte : next)!))
    }
  }()
}

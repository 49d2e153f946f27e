import NablaFormats

extension TokenizerReader {
  /// BPE over characters (Llama 2, Mistral, Gemma).
  func pieceMergesTokenizer(_ model: JSONValue, _ added: [SpecialToken]) throws -> PieceTokenizer {
    if model["ignore_merges"]?.bool == true { throw unsupported("model.ignore_merges", "true", "false") }
    var ordinary = try ordinaryTokens(added)
    var absent = added.foundBeforeMerging
    let fallsBack = model["byte_fallback"]?.bool ?? false
    var unknown: Int32?
    if let name = model["unk_token"]?.string {
      unknown = try identifier(ofToken: name) ?? added.first { $0.content == name }?.id
      guard let unknown else {
        throw malformed("model.unk_token", "\(String(reflecting: name)) is not in model.vocab")
      }
      ordinary.remove(Int(unknown))
      absent.insert(Array(name.utf8))
    }
    let vocabulary = try pieceVocabulary(
      ordinary, unknown: unknown, fusesUnknown: model["fuse_unk"]?.bool ?? false, fallsBack: fallsBack)
    guard let list = file.merges else { throw malformed("model.merges", "expected an array") }
    let merges: BPEMerges
    do throws(MergeProblem) {
      merges = try BPEMerges(list, vocabulary.pieces, without: absent)
    } catch {
      throw malformed(error, list)
    }
    return try pieceTokenizer(vocabulary, .merges(PieceMerges(merges, vocabulary)), added)
  }

  func unigramTokenizer(_ model: JSONValue, _ added: [SpecialToken]) throws -> PieceTokenizer {
    guard let list = file.vocabulary, list.form == .list else { throw malformed("model.vocab", "expected an array") }
    if list.count > Self.identifierLimit { throw malformed("model.vocab", "more than \(Self.identifierLimit) pieces") }
    if let entry = list.firstMalformed {
      throw malformed("model.vocab[\(entry)]", "expected a piece and its score")
    }
    var ordinary = OrdinaryTokens(list: list)
    for token in added where token.isFoundBeforeModel { ordinary.remove(Int(token.id)) }
    var unknown: Int32?
    if let value = model["unk_id"], value != .null {
      unknown = try identifier(value, "model.unk_id")
      guard Int(unknown!) < list.count else { throw malformed("model.unk_id", "there is no such piece") }
      ordinary.remove(Int(unknown!))
    }
    let vocabulary = try pieceVocabulary(
      ordinary, unknown: unknown, fusesUnknown: true, fallsBack: model["byte_fallback"]?.bool ?? false)
    return try pieceTokenizer(vocabulary, .unigram(Unigram(vocabulary.pieces, scores: list.scores)), added)
  }

  private func pieceVocabulary(
    _ tokens: OrdinaryTokens, unknown: Int32?, fusesUnknown: Bool, fallsBack: Bool
  ) throws -> PieceVocabulary {
    var bytes: [UInt8: Int32] = [:]
    var pieces = TokenBytes(minimumCapacity: tokens.count)
    tokens.forEach { id, token in
      if fallsBack, let token, let byte = PieceVocabulary.byte(spelledBy: token) {
        bytes[byte] = Int32(id)
        pieces.append([])
      } else if let token {
        pieces.append(token)
      } else {
        pieces.append([])
      }
    }
    let table = TokenTable(pieces)
    if let id = table.firstRepeated { throw malformed("model.vocab", "the piece \(id) equals another one") }
    return PieceVocabulary(
      pieces: table, unknown: unknown, fusesUnknown: fusesUnknown, byteTokens: fallsBack ? bytes : nil)
  }

  private func pieceTokenizer(
    _ vocabulary: PieceVocabulary, _ model: PieceTokenizer.Model, _ added: [SpecialToken]
  ) throws -> PieceTokenizer {
    let normalizer = try normalizer()
    return PieceTokenizer(
      vocabulary: vocabulary, model: model, specialTokens: added, normalizer: normalizer,
      metaspace: try metaspace(normalizer), template: try template(added),
      firstPiece: try firstPiece(decodesBytes: vocabulary.fallsBackToBytes))
  }

  private func metaspace(_ normalizer: Normalizer?) throws -> Metaspace? {
    var steps = try parts("pre_tokenizer", "pretokenizers")
    guard let last = steps.popLast() else { return nil }
    switch last.value["type"]?.string {
    case "Metaspace":
      var metaspace = Metaspace(
        prepending: try prepending(last.field, last.value), splits: last.value["split"]?.bool ?? true)
      if let first = steps.popLast() {
        guard first.value["type"]?.string == "WhitespaceSplit", steps.isEmpty else {
          throw unsupported(first.field, first.value["type"]?.string ?? "absent", "before Metaspace, WhitespaceSplit")
        }
        metaspace.dropsWhitespace = true
      }
      return metaspace
    case "Split"
    where steps.isEmpty && last.value["pattern"]?["String"]?.string == " " && normalizer?.marksSpaces == true:
      // Gemma splits at spaces that its normalizer has already replaced.
      return nil
    case let type:
      throw unsupported(
        last.field, type ?? "absent",
        "for a model without ByteLevel, Metaspace, alone or after WhitespaceSplit, or null")
    }
  }

  private func prepending(_ field: String, _ value: JSONValue) throws -> Metaspace.Prepending {
    guard value["replacement"]?.string == Metaspace.mark else {
      throw unsupported(field + ".replacement", value["replacement"]?.serialized() ?? "absent", "U+2581")
    }
    guard let scheme = value["prepend_scheme"]?.string else {
      return value["add_prefix_space"]?.bool ?? true ? .always : .never
    }
    guard let prepending = Metaspace.Prepending(rawValue: scheme) else {
      throw malformed(field + ".prepend_scheme", "expected always, first or never")
    }
    return prepending
  }

  /// What the decoder does besides converting marks to spaces and byte tokens to bytes, which all of them do.
  private func firstPiece(decodesBytes: Bool) throws -> PieceTokenizer.FirstPiece {
    var result = PieceTokenizer.FirstPiece.asItIs
    var marks = false
    var bytes = false
    for (field, value) in try parts("decoder", "decoders") {
      switch value["type"]?.string {
      case "Replace" where value["pattern"]?["String"]?.string == Metaspace.mark && value["content"]?.string == " ":
        marks = true
      case "ByteFallback": bytes = true
      case "Fuse": break
      case "Strip"
      where value["content"]?.string == " " && value["stop"]?.integer == 0
        && [0, 1].contains(value["start"]?.integer ?? -1):
        if value["start"]?.integer == 1 { result = .dropsSpace }
      case "Metaspace":
        marks = true
        if try prepending(field, value) != .never { result = .dropsMarks }
      case let type:
        throw unsupported(
          field, type ?? "absent", "Metaspace, ByteFallback, Fuse, Replace of U+2581, Strip of one space")
      }
    }
    guard marks, bytes || !decodesBytes else {
      throw unsupported(
        "decoder", "one that does not decode \(marks ? "byte tokens" : "U+2581")", "one that decodes it")
    }
    return result
  }
}

extension Normalizer {
  /// Whether no space is left.
  fileprivate var marksSpaces: Bool {
    switch self {
    case .replace(" ", with: Metaspace.mark): true
    case .sequence(let steps): steps.contains(where: \.marksSpaces)
    default: false
    }
  }
}

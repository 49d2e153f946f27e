import NablaFormats

extension GGUFTokenizerReader {
  /// SentencePiece: BPE by scores (`llama`) or unigram (`t5`).
  func pieceTokenizer(isUnigram: Bool) throws -> PieceTokenizer {
    let tokens = try tokens()
    let kinds = try kinds(count: tokens.count)
    let special = try specialTokens(tokens, kinds)
    let scores = try metadata.numbers(Self.prefix + "scores")
    guard scores.count == tokens.count, scores.allSatisfy(\.isFinite) else {
      throw malformed("scores", "expected \(tokens.count) finite numbers, one per token")
    }
    var content = TokenBytes(minimumCapacity: tokens.count)
    var bytes: [UInt8: Int32] = [:]
    for id in 0..<tokens.count {
      let token = tokens.utf8(at: id)
      var piece: ArraySlice<UInt8> = []
      switch kinds[id] {
      case .byte:
        guard let byte = PieceVocabulary.byte(spelledBy: token) else {
          throw malformed("tokens", "the byte token \(id) does not have the form <0xHH>")
        }
        bytes[byte] = Int32(id)
      case .normal, .userDefined:
        guard String(validating: token, as: UTF8.self) != nil else {
          throw malformed("tokens", "the token \(id) is not UTF-8")
        }
        piece = token
      case .unknown, .control, .unused: break
      }
      content.append(piece)
    }
    // Among equals the first is used, as in llama.cpp.
    let pieces = TokenTable(content)
    let unknown =
      try identifier("unknown_token_id", count: tokens.count) ?? kinds.firstIndex(of: .unknown).map(Int32.init)
    let vocabulary = PieceVocabulary(
      pieces: pieces, unknown: unknown, fusesUnknown: true, byteTokens: bytes.isEmpty ? nil : bytes)
    let addsSpace = try metadata.bool(Self.prefix + "add_space_prefix", default: true)
    if isUnigram {
      return PieceTokenizer(
        vocabulary: vocabulary, model: .unigram(Unigram(pieces, scores: scores)), specialTokens: special,
        normalizer: try precompiledMap().map(Normalizer.precompiled),
        metaspace: Metaspace(
          prepending: addsSpace ? .always : .never,
          dropsWhitespace: try metadata.bool(Self.prefix + "remove_extra_whitespaces", default: false)),
        template: try template(count: tokens.count, addsBOS: false, addsEOS: true),
        firstPiece: addsSpace ? .dropsMarks : .asItIs)
    }
    let marks = Normalizer.replace(" ", with: Metaspace.mark)
    return PieceTokenizer(
      vocabulary: vocabulary,
      model: .merges(PieceMerges(BPEMerges(pieces, scores: scores.map { Float($0) }), vocabulary)),
      specialTokens: special, normalizer: addsSpace ? .sequence([.prepend(Metaspace.mark), marks]) : marks,
      template: try template(count: tokens.count, addsBOS: true), firstPiece: addsSpace ? .dropsSpace : .asItIs)
  }

  private func precompiledMap() throws -> PrecompiledMap? {
    guard metadata.has(Self.prefix + "precompiled_charsmap") else { return nil }
    let bytes = try metadata.integers(Self.prefix + "precompiled_charsmap").map { UInt8(truncatingIfNeeded: $0) }
    guard let map = PrecompiledMap(bytes) else {
      throw malformed("precompiled_charsmap", "not a map of SentencePiece")
    }
    return map
  }

  /// WordPiece. GGUF marks tokens that begin a word with ▁ and leaves the others unmarked.
  func wordPieceTokenizer() throws -> WordPieceTokenizer {
    let stored = try tokens()
    let kinds = try kinds(count: stored.count)
    let special = try specialTokens(stored, kinds)
    let mark = Array(Metaspace.mark.utf8)
    var vocabulary = WordPieceVocabulary(minimumCapacity: stored.count)
    for id in 0..<stored.count {
      guard kinds[id] == .normal else {
        vocabulary.append([])
        continue
      }
      let token = stored.utf8(at: id)
      guard String(validating: token, as: UTF8.self) != nil else {
        throw malformed("tokens", "the token \(id) is not UTF-8")
      }
      let continues = !token.starts(with: mark)
      vocabulary.append(token.dropFirst(continues ? 0 : mark.count), continues: continues)
    }
    guard let unknown = try identifier("unknown_token_id", count: stored.count) else {
      throw malformed("unknown_token_id", "names no token")
    }
    let first = metadata.has(Self.prefix + "cls_token_id") ? "cls_token_id" : "bos_token_id"
    let last = metadata.has(Self.prefix + "seperator_token_id") ? "seperator_token_id" : "eos_token_id"
    let template = TokenTemplate(
      prefix: try identifier(first, count: stored.count).map { [$0] } ?? [],
      suffix: try identifier(last, count: stored.count).map { [$0] } ?? [])
    var normalizer = BertNormalizer()
    normalizer.lowercases = try metadata.bool(Self.prefix + "normalizer.lowercase", default: true)
    normalizer.stripsAccents = try metadata.bool(
      Self.prefix + "normalizer.strip_accents", default: normalizer.lowercases)
    return WordPieceTokenizer(
      vocabulary: vocabulary, unknown: unknown, specialTokens: special,
      normalizer: .bert(normalizer),
      template: template)
  }
}

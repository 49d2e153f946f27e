import NablaFormats

extension PretrainedTokenizer {
  /// Adds the tokenizer and the chat templates to the metadata of a GGUF file, in llama.cpp's format.
  ///
  /// - Parameters:
  ///   - metadata: Takes the keys `tokenizer.*`.
  ///   - vocabularySize: Rows of the embedding; ids beyond the tokenizer's are written as unused.
  /// - Returns: What the file cannot represent, as sentences.
  /// - Throws: ``TokenizerError/unsupported(path:field:found:supported:)`` for a tokenizer that GGUF cannot represent.
  @discardableResult
  public func write(to metadata: inout GGUFMetadata, vocabularySize: Int? = nil) throws -> [String] {
    let prefix = GGUFTokenizerReader.prefix
    let count = max(vocabularySize ?? 0, tokenizer.vocabularySize)
    var writer = GGUFTokenizerWriter(tokenizer.specialTokens, count: count)
    switch tokenizer {
    case let bytes as ByteLevelBPETokenizer: try writer.add(bytes, to: &metadata)
    case let pieces as PieceTokenizer: try writer.add(pieces, to: &metadata)
    case let words as WordPieceTokenizer: try writer.add(words, to: &metadata)
    default:
      throw TokenizerError.unsupported(
        path: metadata.file, field: prefix + "model", found: "\(type(of: tokenizer))",
        supported: "byte-level BPE, SentencePiece, WordPiece")
    }
    if !(tokenizer is ByteLevelBPETokenizer), let unknown = id(of: "unk_token") { writer.setUnknown(unknown) }
    metadata[prefix + "tokens"] = .array(GGUFArray(writer.tokens))
    metadata[prefix + "token_type"] = .array(GGUFArray(writer.kinds.map { Int32($0.rawValue) }))
    let roleKeys = [
      ("bos_token", "bos_token_id"), ("eos_token", "eos_token_id"), ("unk_token", "unknown_token_id"),
      ("sep_token", "seperator_token_id"), ("pad_token", "padding_token_id"), ("cls_token", "cls_token_id"),
      ("mask_token", "mask_token_id"), ("eot_token", "eot_token_id"),
    ]
    for (role, key) in roleKeys { if let id = id(of: role) { metadata[prefix + key] = .uint32(UInt32(id)) } }
    if !(tokenizer is WordPieceTokenizer) {
      if let first = tokenizer.template.prefix.first { metadata[prefix + "bos_token_id"] = .uint32(UInt32(first)) }
      if let last = tokenizer.template.suffix.last { metadata[prefix + "eos_token_id"] = .uint32(UInt32(last)) }
      metadata[prefix + "add_bos_token"] = .bool(!tokenizer.template.prefix.isEmpty)
      metadata[prefix + "add_eos_token"] = .bool(!tokenizer.template.suffix.isEmpty)
    }
    let lost = writeEndTokens(to: &metadata).map(String.init).joined(separator: ", ")
    for (name, template) in chatTemplates.sorted(by: { $0.key < $1.key }) {
      metadata["tokenizer.chat_template" + (name == "default" ? "" : "." + name)] = .string(template)
    }
    var notes = notes
    if !lost.isEmpty { notes.append("GGUF has fields for three end tokens; omitted: \(lost)") }
    let special = tokenizer.specialTokens.filter {
      $0.matching.isWholeWord || $0.matching.takesSpaceBefore || $0.matching.takesSpaceAfter
    }
    if !special.isEmpty {
      notes.append(
        "GGUF cannot represent added tokens that strip adjacent whitespace or match whole words only; "
          + "readers match these literally: " + special.prefix(8).map(\.content).joined(separator: " ")
          + (special.count > 8 ? " …" : ""))
    }
    return notes
  }
}

extension PretrainedTokenizer {
  /// The end-of-text tokens: GGUF has room for three. Those that readers recognize by their text come last.
  ///
  /// - Returns: Those without room that readers do not recognize.
  private func writeEndTokens(to metadata: inout GGUFMetadata) -> [Int32] {
    let keys = ["eos_token_id", "eot_token_id", "eom_token_id"].map { GGUFTokenizerReader.prefix + $0 }
    let ends = endTokens.subtracting(keys.compactMap { metadata[$0]?.integer.map { Int32($0) } })
    let isKnown = { (id: Int32) in
      tokenizer.specialTokens.token(id).map { Self.endSpellings.contains($0.content) } ?? false
    }
    var rest = ends.sorted { (isKnown($0) ? 1 : 0, $0) < (isKnown($1) ? 1 : 0, $1) }[...]
    for key in keys where metadata[key] == nil {
      if let id = rest.popFirst() { metadata[key] = .uint32(UInt32(id)) }
    }
    return rest.filter { !isKnown($0) }
  }
}

/// The arrays of a vocabulary while they are written.
struct GGUFTokenizerWriter {
  private(set) var tokens: [String]
  private(set) var kinds: [GGUFTokenizerReader.Kind]
  private let prefix = GGUFTokenizerReader.prefix

  init(_ special: SpecialTokens, count: Int) {
    tokens = (0..<count).map { "[PAD\($0)]" }
    kinds = Array(repeating: .unused, count: count)
    for token in special { set(Int(token.id), token.content, token.isControl ? .control : .userDefined) }
  }

  private mutating func set(_ id: Int, _ token: String, _ kind: GGUFTokenizerReader.Kind) {
    tokens[id] = token
    kinds[id] = kind
  }

  /// Marks the unknown token.
  mutating func setUnknown(_ id: Int32) { kinds[Int(id)] = .unknown }

  mutating func add(_ tokenizer: ByteLevelBPETokenizer, to metadata: inout GGUFMetadata) throws {
    metadata[prefix + "model"] = .string("gpt2")
    let names = [
      "gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "stablelm2", "qwen35", "tekken", "gpt-4o", "deepseek-v3",
      "falcon",
    ]
    func refuse(_ field: String, _ found: String, _ supported: String) -> TokenizerError {
      .unsupported(path: metadata.file, field: field, found: found, supported: supported)
    }
    let cuts = names.map { (name: $0, cut: GGUFTokenizerReader.cut($0)!) }
      .filter { $0.cut.steps == tokenizer.preTokenizers }
    let steps = tokenizer.preTokenizers.map(\.rawValue).joined(separator: " then ")
    if cuts.isEmpty {
      throw refuse(prefix + "pre", steps, "the cuts of \(names.joined(separator: ", "))")
    }
    let wholeWords = cuts.filter { $0.cut.prefersWholeWords == tokenizer.prefersWholeWords }
    if wholeWords.isEmpty {
      throw refuse(
        "model.ignore_merges", "\(tokenizer.prefersWholeWords)",
        "for the cuts of \(steps) in GGUF, \(!tokenizer.prefersWholeWords)")
    }
    guard let name = wholeWords.first(where: { $0.cut.normalizer == tokenizer.normalizer })?.name else {
      let known = wholeWords.map { $0.cut.normalizer?.json.serialized() ?? "none" }
      throw refuse(
        "normalizer", tokenizer.normalizer?.json.serialized() ?? "none",
        "for the cuts of \(steps) in GGUF, \(known.joined(separator: " or "))")
    }
    if tokenizer.addsPrefixSpace { throw refuse("pre_tokenizer.add_prefix_space", "true", "in GGUF, false") }
    metadata[prefix + "pre"] = .string(name)
    func spelling(_ id: Int) -> String { ByteLevelAlphabet.spelling(tokenizer.tokens.bytes(of: id)) }
    // An added token that merges make too keeps its kind: it is found before they are tried.
    for id in 0..<tokenizer.tokens.count where !tokenizer.tokens.bytes(of: id).isEmpty && kinds[id] == .unused {
      set(id, spelling(id), .normal)
    }
    let merges = tokenizer.merges.pairs.map { spelling(Int($0.left)) + " " + spelling(Int($0.right)) }
    metadata[prefix + "merges"] = .array(GGUFArray(merges))
  }

  mutating func add(_ tokenizer: PieceTokenizer, to metadata: inout GGUFMetadata) throws {
    let spellings = tokenizer.spellings()
    let pieces = tokenizer.vocabulary.pieces
    for id in 0..<pieces.count where !pieces.bytes(of: id).isEmpty && kinds[id] == .unused {
      set(id, spellings[id], .normal)
    }
    for id in tokenizer.vocabulary.byteTokens.values { set(Int(id), spellings[Int(id)], .byte) }
    if let unknown = tokenizer.vocabulary.unknown { set(Int(unknown), spellings[Int(unknown)], .unknown) }
    var scores = [Float](repeating: 0, count: tokens.count)
    let marks = Normalizer.replace(" ", with: Metaspace.mark)
    switch tokenizer.model {
    case .merges(let merges):
      metadata[prefix + "model"] = .string("llama")
      switch (tokenizer.normalizer, tokenizer.metaspace) {
      case (.sequence([.prepend(Metaspace.mark), marks]), nil): metadata[prefix + "add_space_prefix"] = .bool(true)
      case (marks, nil), (nil, Metaspace(prepending: .never, splits: false)):
        metadata[prefix + "add_space_prefix"] = .bool(false)
      case (nil, Metaspace(prepending: .first, splits: false)), (nil, Metaspace(prepending: .always, splits: false)):
        metadata[prefix + "add_space_prefix"] = .bool(true)
      default:
        throw TokenizerError.unsupported(
          path: metadata.file, field: prefix + "model", found: "a normalizer or pre-tokenizer that llama.cpp lacks",
          supported: "U+2581 for spaces and nothing else")
      }
      // A piece ranks like the first merge that forms it; characters, which no merge forms, come last.
      for (rank, pair) in merges.merges.pairs.enumerated().reversed() {
        let made = Array(pieces.bytes(of: Int(pair.left))) + pieces.bytes(of: Int(pair.right))
        if let id = pieces.id(of: made) { scores[Int(id)] = -Float(rank) }
      }
      for id in 0..<pieces.count
      where kinds[id] == .normal && scores[id] == 0 && UTF8Text.length(Array(pieces.bytes(of: id))) == 1 {
        scores[id] = -Float(merges.merges.pairs.count + 1)
      }
    case .unigram(let unigram):
      metadata[prefix + "model"] = .string("t5")
      guard let metaspace = tokenizer.metaspace, metaspace.prepending != .first else {
        throw TokenizerError.unsupported(
          path: metadata.file, field: prefix + "model", found: "a unigram model without Metaspace",
          supported: "Metaspace")
      }
      switch tokenizer.normalizer {
      case nil: break
      case .precompiled(let map): metadata[prefix + "precompiled_charsmap"] = .array(GGUFArray(map.bytes))
      default:
        throw TokenizerError.unsupported(
          path: metadata.file, field: prefix + "precompiled_charsmap", found: "another normalizer",
          supported: "Precompiled")
      }
      metadata[prefix + "add_space_prefix"] = .bool(metaspace.prepending == .always)
      metadata[prefix + "remove_extra_whitespaces"] = .bool(metaspace.dropsWhitespace)
      for (id, score) in unigram.scores.enumerated() where id < scores.count { scores[id] = Float(score) }
    }
    metadata[prefix + "scores"] = .array(GGUFArray(scores))
  }

  mutating func add(_ tokenizer: WordPieceTokenizer, to metadata: inout GGUFMetadata) throws {
    metadata[prefix + "model"] = .string("bert")
    guard case .bert(let normalizer) = tokenizer.normalizer, normalizer.cleansText, normalizer.separatesChinese else {
      throw TokenizerError.unsupported(
        path: metadata.file, field: prefix + "normalizer", found: "another normalizer than BERT's", supported: "BERT's")
    }
    metadata[prefix + "normalizer.lowercase"] = .bool(normalizer.lowercases)
    metadata[prefix + "normalizer.strip_accents"] = .bool(normalizer.stripsAccents)
    let words = tokenizer.vocabulary
    for id in 0..<words.count where !words.tokens.isEmpty(id) && kinds[id] == .unused {
      let text = String(decoding: words.tokens[id], as: UTF8.self)
      set(id, words.continues[id] ? text : Metaspace.mark + text, .normal)
    }
    setUnknown(tokenizer.unknown)
    metadata[prefix + "unknown_token_id"] = .uint32(UInt32(tokenizer.unknown))
    if let first = tokenizer.template.prefix.first { metadata[prefix + "cls_token_id"] = .uint32(UInt32(first)) }
    if let last = tokenizer.template.suffix.last { metadata[prefix + "seperator_token_id"] = .uint32(UInt32(last)) }
  }
}

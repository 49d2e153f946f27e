import NablaFormats

extension TokenizerReader {
  func wordPieceTokenizer(_ model: JSONValue, _ added: [SpecialToken]) throws -> WordPieceTokenizer {
    let mark = model["continuing_subword_prefix"]?.string ?? WordPieceTokenizer.mark
    guard mark == WordPieceTokenizer.mark else {
      throw unsupported("model.continuing_subword_prefix", String(reflecting: mark), "\"##\"")
    }
    let steps = try parts("pre_tokenizer", "pretokenizers")
    guard steps.count == 1, steps[0].value["type"]?.string == "BertPreTokenizer" else {
      throw unsupported(
        "pre_tokenizer", steps.first?.value["type"]?.string ?? "null", "for WordPiece, BertPreTokenizer")
    }
    guard let decoder = root["decoder"], decoder["type"]?.string == "WordPiece", decoder["prefix"]?.string == mark
    else {
      throw unsupported(
        "decoder", root["decoder"]?["type"]?.string ?? "null", "for WordPiece, WordPiece with the prefix ##")
    }
    let name = model["unk_token"]?.string ?? "[UNK]"
    guard let unknown = try identifier(ofToken: name) else {
      throw malformed("model.unk_token", "\(String(reflecting: name)) is not in model.vocab")
    }
    let longest = model["max_input_chars_per_word"]?.integer ?? 100
    guard longest > 0 else { throw malformed("model.max_input_chars_per_word", "expected a number above 0") }
    let ordinary = try ordinaryTokens(added)
    try checkSpellings(of: ordinary)
    var words = WordPieceVocabulary(minimumCapacity: ordinary.count)
    let markCount = mark.utf8.count
    ordinary.forEach { _, token in
      guard let token else { return words.append([]) }
      let continues = token.count > markCount && token.starts(with: mark.utf8)
      words.append(token.dropFirst(continues ? markCount : 0), continues: continues)
    }
    return WordPieceTokenizer(
      vocabulary: words, unknown: unknown, specialTokens: added, normalizer: try normalizer(),
      template: try template(added), longestWord: longest, cleansUp: decoder["cleanup"]?.bool ?? true)
  }

  func bertNormalizer(_ value: JSONValue) -> BertNormalizer {
    let lowercases = value["lowercase"]?.bool ?? true
    return BertNormalizer(
      cleansText: value["clean_text"]?.bool ?? true, separatesChinese: value["handle_chinese_chars"]?.bool ?? true,
      stripsAccents: value["strip_accents"]?.bool ?? lowercases, lowercases: lowercases)
  }
}

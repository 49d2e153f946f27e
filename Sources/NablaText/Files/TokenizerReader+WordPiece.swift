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
    let unknown = try identifier(model["vocab"]?[name], "model.unk_token")
    let longest = model["max_input_chars_per_word"]?.integer ?? 100
    guard longest > 0 else { throw malformed("model.max_input_chars_per_word", "expected a number above 0") }
    let entries = try ordinaryTokens(model, added)
    let count = 1 + Int(entries.map(\.id).max() ?? -1)
    var tokens = [[UInt8]](repeating: [], count: count)
    var continues = [Bool](repeating: false, count: count)
    for (token, id) in entries {
      continues[Int(id)] = token.utf8.starts(with: mark.utf8) && token.utf8.count > mark.utf8.count
      tokens[Int(id)] = Array(continues[Int(id)] ? token.utf8.dropFirst(mark.utf8.count) : token.utf8[...])
    }
    return WordPieceTokenizer(
      tokens: tokens, continues: continues, unknown: unknown, specialTokens: added, normalizer: try normalizer(),
      template: try template(added), longestWord: longest, cleansUp: decoder["cleanup"]?.bool ?? true)
  }

  func bertNormalizer(_ value: JSONValue) -> BertNormalizer {
    let lowercases = value["lowercase"]?.bool ?? true
    return BertNormalizer(
      cleansText: value["clean_text"]?.bool ?? true, separatesChinese: value["handle_chinese_chars"]?.bool ?? true,
      stripsAccents: value["strip_accents"]?.bool ?? lowercases, lowercases: lowercases)
  }
}

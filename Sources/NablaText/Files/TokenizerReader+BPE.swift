import NablaFormats

extension TokenizerReader {
  /// Byte-level BPE, or a ``ByteTokenizer`` when it is one written as BPE.
  func bytePairTokenizer(_ model: JSONValue, _ added: [SpecialToken]) throws -> any Tokenizer {
    if model["byte_fallback"]?.bool == true {
      throw unsupported("model.byte_fallback", "true with ByteLevel", "false")
    }
    let normalizer = try normalizer()
    let cut = try preTokenizer()
    guard root["decoder"]?["type"]?.string == "ByteLevel" else {
      throw unsupported("decoder.type", root["decoder"]?["type"]?.string ?? "absent", "for BPE, ByteLevel")
    }
    let ordinary = try ordinaryTokens(added)
    guard let merges = file.merges else { throw malformed("model.merges", "expected an array") }
    var vocabulary = ByteLevelVocabulary(minimumCapacity: ordinary.count)
    try ordinary.forEach { id, spelling in
      if let spelling, spelling.isEmpty { throw malformed("model.vocab[\"\"]", "the token \(id) is empty") }
      vocabulary.append(spelling)
    }
    let tokens = vocabulary.table()
    if let id = tokens.firstRepeated {
      throw malformed(
        "model.vocab[\(String(reflecting: ByteLevelAlphabet.spelling(tokens.bytes(of: id))))]",
        "the token \(id) has the same bytes as another")
    }
    let pairs: BPEMerges
    do throws(MergeProblem) {
      pairs = try byteLevelMerges(merges, tokens, added)
    } catch {
      throw malformed(error, merges)
    }
    let template = try template(added)
    if merges.count == 0, cut.steps == [.none], !cut.addsPrefixSpace, normalizer == nil, template == TokenTemplate(),
      added.allSatisfy({ $0.id >= 256 && $0.matching == SpecialToken.Matching() }), tokens.count == 256,
      (0..<256).allSatisfy({ tokens.bytes(of: $0).elementsEqual([UInt8($0)]) })
    {
      return ByteTokenizer(added)
    }
    return ByteLevelBPETokenizer(
      tokens: tokens, merges: pairs, specialTokens: added, normalizer: normalizer,
      preTokenizers: cut.steps, template: template, addsPrefixSpace: cut.addsPrefixSpace,
      prefersWholeWords: model["ignore_merges"]?.bool ?? false)
  }

  func malformed(_ problem: MergeProblem, _ merges: StoredMerges) -> TokenizerError {
    malformed("model.merges[\(problem.rank)]", problem.reason(merges))
  }

  func checkOptions(_ model: JSONValue) throws {
    if let dropout = model["dropout"], dropout != .null, dropout.double != 0 {
      throw unsupported("model.dropout", "set", "null (merges are always applied)")
    }
    for field in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let text = model[field]?.string, !text.isEmpty {
        throw unsupported("model." + field, String(reflecting: text), "null")
      }
    }
  }

  /// `ByteLevel` (alone in GPT-2); before it `Split` by a known pattern, `Digits` or `Punctuation`; after it, in Falcon,
  /// steps that see bytes as they are spelled.
  private func preTokenizer() throws -> (steps: [PreTokenizer], addsPrefixSpace: Bool) {
    let steps = try parts("pre_tokenizer", "pretokenizers")
    guard let place = steps.firstIndex(where: { $0.value["type"]?.string == "ByteLevel" }) else {
      throw unsupported(
        "pre_tokenizer", "without ByteLevel", "for BPE, ByteLevel, alone or after Split, Digits or Punctuation")
    }
    let level = steps[place]
    let addsPrefixSpace = level.value["add_prefix_space"]?.bool ?? true
    if addsPrefixSpace, place > 0 {
      throw unsupported(level.field + ".add_prefix_space", "true after another step", "false")
    }
    var scanners = try steps[..<place].map { try scanner($0.field, $0.value) }
    if level.value["use_regex"]?.bool ?? true { scanners.append(.gpt2) }
    scanners += try steps[(place + 1)...].map { try byteScanner($0.field, $0.value) }
    return (scanners.isEmpty ? [.none] : scanners, addsPrefixSpace)
  }

  /// A step after `ByteLevel`.
  private func byteScanner(_ field: String, _ value: JSONValue) throws -> PreTokenizer {
    switch value["type"]?.string {
    case "Digits" where value["individual_digits"]?.bool != true: return .byteDigitRuns
    case "Split" where try scanner(field, value) == .digitTriples: return .digitTriples
    case let type:
      throw unsupported(field, type ?? "absent", "after ByteLevel, Digits in runs and Split by [0-9][0-9][0-9]")
    }
  }

  private func scanner(_ field: String, _ value: JSONValue) throws -> PreTokenizer {
    switch value["type"]?.string {
    case "Punctuation":
      guard value["behavior"]?.string == "Contiguous" else {
        throw unsupported(field + ".behavior", value["behavior"]?.string ?? "absent", "Contiguous")
      }
      return .punctuation
    case "Digits": return value["individual_digits"]?.bool ?? false ? .digits : .digitRuns
    case "Split":
      guard value["behavior"]?.string == "Isolated", value["invert"]?.bool != true else {
        throw unsupported(field + ".behavior", value["behavior"]?.string ?? "absent", "Isolated, not inverted")
      }
      guard let pattern = value["pattern"]?["Regex"]?.string,
        let scanner = PreTokenizer.matching(pattern)
      else {
        let found = value["pattern"]?["Regex"]?.string ?? value["pattern"]?.serialized() ?? "absent"
        throw unsupported(
          field + ".pattern", String(reflecting: found),
          "those of GPT-2, cl100k, GPT-4o, Llama 3, Qwen 2, Qwen 3.5, Tekken, DeepSeek V3 and Falcon")
      }
      return scanner
    case let type: throw unsupported(field, type ?? "absent", "Split, Digits, Punctuation and ByteLevel")
    }
  }
}

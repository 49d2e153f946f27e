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

  /// `ByteLevel` at the end (alone in GPT-2); before it `Split` by a known pattern, or `Digits`.
  private func preTokenizer() throws -> (steps: [PreTokenizer], addsPrefixSpace: Bool) {
    var steps = try parts("pre_tokenizer", "pretokenizers")
    guard let last = steps.popLast(), last.value["type"]?.string == "ByteLevel" else {
      throw unsupported(
        "pre_tokenizer", "without ByteLevel at its end", "for BPE, ByteLevel, alone or after Split or Digits")
    }
    let addsPrefixSpace = last.value["add_prefix_space"]?.bool ?? true
    if addsPrefixSpace, !steps.isEmpty {
      throw unsupported(last.field + ".add_prefix_space", "true after another step", "false")
    }
    var scanners = try steps.map { try scanner($0.field, $0.value) }
    if last.value["use_regex"]?.bool ?? true { scanners.append(.gpt2) }
    return (scanners.isEmpty ? [.none] : scanners, addsPrefixSpace)
  }

  private func scanner(_ field: String, _ value: JSONValue) throws -> PreTokenizer {
    switch value["type"]?.string {
    case "Digits": return value["individual_digits"]?.bool ?? false ? .digits : .digitRuns
    case "Split":
      guard value["behavior"]?.string == "Isolated", value["invert"]?.bool != true else {
        throw unsupported(field + ".behavior", value["behavior"]?.string ?? "absent", "Isolated, not inverted")
      }
      guard let pattern = value["pattern"]?["Regex"]?.string,
        let scanner = PreTokenizer.allCases.first(where: { $0.pattern == pattern })
      else {
        let found = value["pattern"]?["Regex"]?.string ?? value["pattern"]?.serialized() ?? "absent"
        throw unsupported(
          field + ".pattern", String(reflecting: found),
          "those of GPT-2, Llama 3, Qwen 2, Qwen 3.5, Tekken and GPT-4o")
      }
      return scanner
    case let type: throw unsupported(field, type ?? "absent", "Split, Digits and ByteLevel")
    }
  }
}

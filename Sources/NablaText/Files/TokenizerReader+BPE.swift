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
    let entries = try ordinaryTokens(model, added)
    var spellings = [String?](repeating: nil, count: 1 + Int(entries.map(\.id).max() ?? -1))
    for (token, id) in entries { spellings[Int(id)] = token }
    guard let merges = model["merges"]?.array else { throw malformed("model.merges", "expected an array") }
    var vocabulary = ByteLevelVocabulary(tokenCount: spellings.count, mergeCount: merges.count)
    for spelling in spellings {
      do throws(ByteLevelVocabulary.Problem) {
        try vocabulary.append(spelling)
      } catch {
        throw malformed("model.vocab[\(String(reflecting: spelling ?? ""))]", error.reason)
      }
    }
    for (rank, entry) in merges.enumerated() {
      do throws(ByteLevelVocabulary.Problem) {
        try vocabulary.merge(entry)
      } catch {
        throw malformed("model.merges[\(rank)]", error.reason)
      }
    }
    let template = try template(added)
    if merges.isEmpty, cut.steps == [.none], !cut.addsPrefixSpace, normalizer == nil, template == TokenTemplate(),
      added.allSatisfy({ $0.id >= 256 && $0.matching == SpecialToken.Matching() }), vocabulary.tokens.count == 256,
      (0..<256).allSatisfy({ vocabulary.tokens.bytes(of: $0).elementsEqual([UInt8($0)]) })
    {
      return ByteTokenizer(added)
    }
    return ByteLevelBPETokenizer(
      tokens: vocabulary.tokens, merges: vocabulary.merges, specialTokens: added, normalizer: normalizer,
      preTokenizers: cut.steps, template: template, addsPrefixSpace: cut.addsPrefixSpace,
      prefersWholeWords: model["ignore_merges"]?.bool ?? false)
  }

  func checkOptions(_ model: JSONValue) throws {
    if let dropout = model["dropout"], dropout != .null, dropout.double != 0 {
      throw unsupported("model.dropout", "set", "null (merges are applied always)")
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
        throw unsupported(field + ".pattern", String(reflecting: found), "those of GPT-2, Llama 3, Qwen 2 and Qwen 3.5")
      }
      return scanner
    case let type: throw unsupported(field, type ?? "absent", "Split, Digits and ByteLevel")
    }
  }
}

extension ByteLevelVocabulary {
  fileprivate mutating func append(_ spelling: String?) throws(Problem) {
    guard let spelling else { return try append(nil as UnsafeBufferPointer<UInt8>?) }
    try Array(spelling.utf8).withUnsafeBufferPointer { (bytes) throws(Problem) in try append(bytes) }
  }

  /// A merge as `["a", "b"]` or, in older files, `"a b"`.
  fileprivate mutating func merge(_ entry: JSONValue) throws(Problem) {
    if let line = entry.string {
      return try Array(line.utf8).withUnsafeBufferPointer { (bytes) throws(Problem) in try merge(bytes) }
    }
    guard let pair = entry.array, pair.count == 2, let left = pair[0].string, let right = pair[1].string else {
      throw Problem(reason: "expected two tokens")
    }
    let bytes = Array(left.utf8) + Array(right.utf8)
    try bytes.withUnsafeBufferPointer { (bytes) throws(Problem) in
      let middle = left.utf8.count
      try merge(UnsafeBufferPointer(rebasing: bytes[..<middle]), UnsafeBufferPointer(rebasing: bytes[middle...]))
    }
  }
}

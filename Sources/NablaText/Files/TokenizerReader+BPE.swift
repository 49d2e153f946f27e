import NablaFormats

extension TokenizerReader {
  /// Byte-level BPE, or a ``ByteTokenizer`` when it is one written as BPE.
  func bytePairTokenizer(_ model: JSONValue, _ added: [SpecialToken]) throws -> any Tokenizer {
    try checkOptions(model)
    let cut = try preTokenizer()
    guard root["decoder"]?["type"]?.string == "ByteLevel" else {
      throw unsupported("decoder.type", root["decoder"]?["type"]?.string ?? "absent", "for BPE, ByteLevel")
    }
    let entries = try ordinaryTokens(model, added)
    var tokens = [[UInt8]](repeating: [], count: 1 + Int(entries.map(\.id).max() ?? -1))
    var idOfToken: [[UInt8]: Int32] = [:]
    for (token, id) in entries {
      // A token outside the alphabet can only be meant as it is spelled.
      let bytes = ByteLevelAlphabet.bytes(token) ?? Array(token.utf8)
      guard !bytes.isEmpty else { throw malformed("model.vocab", "the token \(id) is empty") }
      guard idOfToken.updateValue(id, forKey: bytes) == nil else {
        throw malformed("model.vocab[\(String(reflecting: token))]", "another token stands for the same bytes")
      }
      tokens[Int(id)] = bytes
    }
    let merges = try merges(model, tokens: idOfToken)
    if merges.isEmpty, cut.scanner == .none, !cut.addsPrefixSpace, added.allSatisfy({ $0.id >= 256 }),
      tokens == (0..<256).map({ [UInt8($0)] })
    {
      return ByteTokenizer(added)
    }
    return ByteLevelBPETokenizer(
      tokens: tokens, merges: merges, specialTokens: added, preTokenizer: cut.scanner,
      addsPrefixSpace: cut.addsPrefixSpace, prefersWholeWords: model["ignore_merges"]?.bool ?? false)
  }

  private func checkOptions(_ model: JSONValue) throws {
    if let dropout = model["dropout"], dropout != .null, dropout.double != 0 {
      throw unsupported("model.dropout", "set", "null (merges are applied always)")
    }
    if model["byte_fallback"]?.bool == true {
      throw unsupported("model.byte_fallback", "true (SentencePiece)", "false")
    }
    for field in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let text = model[field]?.string, !text.isEmpty {
        throw unsupported("model." + field, String(reflecting: text), "null")
      }
    }
  }

  /// Merges as `["a", "b"]` or, in older files, `"a b"`.
  private func merges(
    _ model: JSONValue, tokens: [[UInt8]: Int32]
  ) throws -> [(left: Int32, right: Int32, id: Int32)] {
    guard let list = model["merges"]?.array else { throw malformed("model.merges", "expected an array") }
    var seen: Set<UInt64> = []
    return try list.enumerated().map { rank, entry in
      let field = "model.merges[\(rank)]"
      let parts =
        entry.array?.compactMap(\.string)
        ?? entry.string?.split(separator: " ", omittingEmptySubsequences: false).map(String.init) ?? []
      guard parts.count == 2, entry.array?.count ?? 2 == 2,
        let left = ByteLevelAlphabet.bytes(parts[0]), let right = ByteLevelAlphabet.bytes(parts[1])
      else { throw malformed(field, "expected two tokens") }
      guard let leftID = tokens[left], let rightID = tokens[right] else {
        let missing = tokens[left] == nil ? parts[0] : parts[1]
        throw malformed(field, "the token \(String(reflecting: missing)) is not in model.vocab")
      }
      guard let id = tokens[left + right] else {
        throw malformed(field, "the result \(String(reflecting: parts[0] + parts[1])) is not in model.vocab")
      }
      guard seen.insert(PairTable<Int32>.key(leftID, rightID)).inserted else {
        throw malformed(field, "the pair occurs twice")
      }
      return (leftID, rightID, id)
    }
  }

  /// `ByteLevel` alone (GPT-2), or a `Split` by a known pattern before it.
  private func preTokenizer() throws -> (scanner: PreTokenizer, addsPrefixSpace: Bool) {
    guard let value = root["pre_tokenizer"], value != .null else {
      throw unsupported("pre_tokenizer", "null", "for BPE, ByteLevel")
    }
    var steps: [(field: String, value: JSONValue)] = [("pre_tokenizer", value)]
    if value["type"]?.string == "Sequence" {
      guard let list = value["pretokenizers"]?.array else {
        throw malformed("pre_tokenizer.pretokenizers", "expected an array")
      }
      steps = list.enumerated().map { ("pre_tokenizer.pretokenizers[\($0)]", $1) }
    }
    guard let last = steps.popLast(), last.value["type"]?.string == "ByteLevel" else {
      throw unsupported("pre_tokenizer", "without ByteLevel at its end", "for BPE, ByteLevel or Split then ByteLevel")
    }
    let addsPrefixSpace = last.value["add_prefix_space"]?.bool ?? true
    let usesPattern = last.value["use_regex"]?.bool ?? true
    guard let split = steps.popLast() else { return (usesPattern ? .gpt2 : .none, addsPrefixSpace) }
    guard steps.isEmpty, split.value["type"]?.string == "Split", split.value["behavior"]?.string == "Isolated",
      split.value["invert"]?.bool != true, !usesPattern, !addsPrefixSpace
    else {
      throw unsupported(
        split.field, split.value["type"]?.string ?? "absent", "one Split (Isolated) before ByteLevel without its own")
    }
    guard let pattern = split.value["pattern"]?["Regex"]?.string,
      let scanner = PreTokenizer.allCases.first(where: { $0.pattern == pattern })
    else {
      throw unsupported(split.field + ".pattern", "an unknown pattern", "those of GPT-2, Llama 3 and Qwen 2")
    }
    return (scanner, addsPrefixSpace)
  }
}

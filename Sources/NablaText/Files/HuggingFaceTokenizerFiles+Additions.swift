import NablaFormats

extension HuggingFaceTokenizerFiles {
  private static let configurationName = TokenizerFolder.configurationName
  private static let mapName = "special_tokens_map.json"
  private static let addedName = "added_tokens.json"

  /// The tokens defined in the files next to `tokenizer.json`.
  func additions(
    _ configuration: JSONObject, _ map: JSONObject, _ roles: [String: String]
  ) throws -> TokenizerAdditions {
    var additions = TokenizerAdditions()
    for role in Self.roles {
      guard let content = roles[role] else { continue }
      additions.named.append((content, Self.matching(configuration[role] ?? map[role], isControl: true)))
    }
    for (field, value, file) in additionalTokens(configuration, map) {
      guard let content = value.string ?? value["content"]?.string else {
        throw malformed(file, field, "expected a token")
      }
      if !content.isEmpty { additions.named.append((content, Self.matching(value, isControl: true))) }
    }
    let special = Set(additions.named.map(\.content))
    if let listed = configuration["added_tokens_decoder"], listed != .null {
      let field = "added_tokens_decoder"
      guard let members = listed.object?.members else {
        throw malformed(Self.configurationName, field, "expected an object")
      }
      additions.file = Self.configurationName
      for (id, token) in members.map({ ($0.key, $0.value) }) {
        let place = "\(field)[\(String(reflecting: id))]"
        guard let content = token["content"]?.string, !content.isEmpty else {
          throw malformed(Self.configurationName, place + ".content", "expected text that is not empty")
        }
        let isControl = token["special"]?.bool ?? false
        additions.tokens.append(
          SpecialToken(
            content: content, id: try identifier(Int(id), Self.configurationName, place), isControl: isControl,
            matching: Self.matching(token, isControl: isControl)))
      }
    } else if let listed = try object(Self.addedName) {
      additions.file = Self.addedName
      for member in listed.members where !member.key.isEmpty {
        let isControl = special.contains(member.key)
        let id = try identifier(member.value.integer, Self.addedName, String(reflecting: member.key))
        additions.tokens.append(
          SpecialToken(
            content: member.key, id: id, isControl: isControl, matching: Self.matching(nil, isControl: isControl)))
      }
    }
    additions.tokens.sort { $0.id < $1.id }
    return additions
  }

  /// The entries of `additional_special_tokens`, and of `extra_special_tokens`, which may also be an object.
  private func additionalTokens(
    _ configuration: JSONObject, _ map: JSONObject
  ) -> [(field: String, token: JSONValue, file: String)] {
    ["additional_special_tokens", "extra_special_tokens"].flatMap { field in
      let file = configuration[field] == nil ? Self.mapName : Self.configurationName
      let value = configuration[field] ?? map[field]
      let list = value?.array ?? value?.object?.members.map(\.value) ?? []
      return list.enumerated().map { ("\(field)[\($0)]", $1, file) }
    }
  }

  /// How a token is matched, by the fields of the object that `transformers` writes.
  private static func matching(_ token: JSONValue?, isControl: Bool) -> SpecialToken.Matching {
    var matching = SpecialToken.Matching()
    matching.isWholeWord = token?["single_word"]?.bool ?? false
    matching.takesSpaceBefore = token?["lstrip"]?.bool ?? false
    matching.takesSpaceAfter = token?["rstrip"]?.bool ?? false
    matching.isNormalized = token?["normalized"]?.bool ?? !isControl
    return matching
  }

  private func identifier(_ id: Int?, _ file: String, _ field: String) throws -> Int32 {
    guard let id, (0..<TokenizerReader.identifierLimit).contains(id) else {
      throw malformed(file, field, TokenizerReader.expectedIdentifier)
    }
    return Int32(id)
  }

  private func malformed(_ file: String, _ field: String, _ reason: String) -> TokenizerError {
    .malformedFile(path: folder + file, field: field, reason: reason)
  }

  /// Settings in the files that the tokenizer does not support.
  func notes(
    on tokenizer: any Tokenizer, _ roles: [String: String], _ additions: TokenizerAdditions, _ configuration: JSONObject
  ) -> [String] {
    var notes: [String] = []
    for role in Self.roles {
      guard let content = roles[role], tokenizer.specialTokens.id(of: content) == nil else { continue }
      notes.append(
        "the \(role) \(content) is in neither the vocabulary nor the added tokens, so the tokenizer never produces it")
    }
    let named = Set(roles.values)
    let absent = additions.named.map(\.content).filter {
      !named.contains($0) && tokenizer.specialTokens.id(of: $0) == nil
    }
    if !absent.isEmpty {
      notes.append("special tokens missing from the vocabulary are left out: \(absent.joined(separator: ", "))")
    }
    let edges = [("add_bos_token", tokenizer.template.prefix), ("add_eos_token", tokenizer.template.suffix)]
    for (flag, tokens) in edges where configuration[flag]?.bool == true && tokens.isEmpty {
      notes.append("\(flag) is true, but tokenizer.json takes precedence and adds no such token")
    }
    if configuration["split_special_tokens"]?.bool == true {
      notes.append("split_special_tokens is true, but is ignored: special tokens in a text are recognized")
    }
    return notes
  }
}

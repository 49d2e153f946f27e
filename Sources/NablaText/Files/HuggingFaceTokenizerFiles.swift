import NablaFormats

/// The tokenizer files of a Hugging Face folder: `tokenizer.json`, `tokenizer_config.json`,
/// `special_tokens_map.json`, `added_tokens.json`, `generation_config.json`, `chat_template.jinja` and
/// `additional_chat_templates/`.
struct HuggingFaceTokenizerFiles {
  /// The folder, with a slash at its end; empty for the current one.
  let folder: String
  private let tokenizerPath: String
  /// As the user named it.
  private let path: String

  static let endRoles = ["eos_token", "eot_token"]
  static let roles = [
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "eot_token",
  ]

  /// - Parameter path: A folder, or a `tokenizer.json` in one.
  ///   A run of `nabla pretrain` has its finished model in `model/`.
  /// - Throws: ``TokenizerError/noTokenizer(path:)``.
  init(_ path: String) throws(TokenizerError) {
    self.path = path
    if FileKind(path, followingLinks: true) == .folder {
      let folders = [path.hasSuffix("/") ? path : path + "/"].flatMap { [$0, $0 + "model/"] }
      guard
        let found = folders.first(where: { FileKind($0 + TokenizerFolder.fileName, followingLinks: true) == .file })
      else { throw .noTokenizer(path: path) }
      folder = found
      tokenizerPath = folder + TokenizerFolder.fileName
    } else {
      tokenizerPath = path
      folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? ""
    }
  }

  func pretrained() throws -> PretrainedTokenizer {
    let configuration = try object(TokenizerFolder.configurationName) ?? JSONObject()
    let map = try object("special_tokens_map.json") ?? JSONObject()
    var roles: [String: String] = [:]
    for role in Self.roles {
      let file = configuration[role] == nil ? "special_tokens_map.json" : TokenizerFolder.configurationName
      roles[role] = try content(configuration[role] ?? map[role], role, file)
    }
    let additions = try additions(configuration, map, roles)
    let tokenizer = try TokenizerReader(path: tokenizerPath, additions).tokenizer()
    var ends = Set(Self.endRoles.compactMap { roles[$0].flatMap(tokenizer.specialTokens.id(of:)) })
    if let value = try object("generation_config.json")?["eos_token_id"], value != .null {
      for id in value.array ?? [value] {
        guard let id = id.integer, (0..<TokenizerReader.identifierLimit).contains(id) else {
          throw TokenizerError.malformedFile(
            path: folder + "generation_config.json", field: "eos_token_id", reason: "expected token ids")
        }
        ends.insert(Int32(id))
      }
    }
    ends.formUnion(PretrainedTokenizer.knownEnds(tokenizer.specialTokens))
    let templates = try chatTemplates(configuration)
    ends.formUnion(TurnEnd.tokens(tokenizer, templates["default"], roles, known: ends))
    return PretrainedTokenizer(
      tokenizer, roles: roles, endTokens: ends, chatTemplates: templates, path: path,
      notes: notes(on: tokenizer, roles, additions, configuration))
  }

  private func exists(_ name: String) -> Bool { FileKind(folder + name, followingLinks: true) == .file }

  /// The JSON object of a file, nil when there is no such file.
  func object(_ name: String) throws -> JSONObject? {
    guard exists(name) else { return nil }
    guard let object = try JSONValue(contentsOfFile: folder + name).object else {
      throw TokenizerError.malformedFile(path: folder + name, field: "the file", reason: "expected a JSON object")
    }
    return object
  }

  /// A token as text, or as `transformers`' object for an added token.
  private func content(_ value: JSONValue?, _ role: String, _ file: String) throws -> String? {
    guard let value, value != .null else { return nil }
    if let text = value.string ?? value["content"]?.string { return text.isEmpty ? nil : text }
    throw TokenizerError.malformedFile(path: folder + file, field: role, reason: "expected a token")
  }

  private func chatTemplates(_ configuration: JSONObject) throws -> [String: String] {
    var templates: [String: String] = [:]
    let field = { (place: String) in
      TokenizerError.malformedFile(
        path: folder + TokenizerFolder.configurationName, field: "chat_template" + place,
        reason: "expected a template, or a list of objects with a name and a template")
    }
    switch configuration["chat_template"] {
    case nil, .null: break
    case .string(let text): templates["default"] = text
    case .array(let list):
      for (index, entry) in list.enumerated() {
        guard let name = entry["name"]?.string, let text = entry["template"]?.string else { throw field("[\(index)]") }
        templates[name] = text
      }
    default: throw field("")
    }
    // Separate files take precedence over the configuration.
    if exists("chat_template.jinja") { templates["default"] = try text(folder + "chat_template.jinja") }
    let additional = folder + "additional_chat_templates"
    if FileKind(additional, followingLinks: true) == .folder {
      for name in try folderEntries(additional) where name.hasSuffix(".jinja") {
        templates[String(name.dropLast(".jinja".count))] = try text(additional + "/" + name)
      }
    }
    return templates
  }

  private func text(_ path: String) throws -> String {
    try MappedFile(path: path).withBytes { bytes in
      guard let text = String(validating: TextBytes.withoutMark(bytes), as: UTF8.self) else {
        throw TokenizerError.malformedFile(path: path, field: "the file", reason: "not UTF-8")
      }
      return text
    }
  }
}

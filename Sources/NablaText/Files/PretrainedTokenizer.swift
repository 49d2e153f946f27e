import NablaFormats
// Messages and templates are part of this type's interface.
@_exported import NablaTemplates

/// A tokenizer with the other contents of its files: the roles of tokens, the end-of-text tokens, and the chat
/// templates.
///
/// ```swift
/// let pretrained = try PretrainedTokenizer.load("SmolLM2-135M-Instruct.gguf")
/// let prompt = try pretrained.render([ChatMessage(role: "user", content: "Hello!")])
/// let ids = try pretrained.tokenizer.encode(prompt)
/// ```
public struct PretrainedTokenizer: Sendable {
  public let tokenizer: any Tokenizer
  /// The file or folder it is from, for errors.
  public let path: String
  /// The text of special tokens by role: `bos_token`, `eos_token`, `unk_token`, `pad_token`, …
  public let roles: [String: String]
  /// Tokens that end a text.
  public let endTokens: Set<Int32>
  /// Chat templates by name. Most models have one, called `default`.
  public let chatTemplates: [String: String]
  /// Unsupported settings in the files, as sentences.
  public let notes: [String]

  public init(
    _ tokenizer: any Tokenizer, roles: [String: String] = [:], endTokens: Set<Int32> = [],
    chatTemplates: [String: String] = [:], path: String = "the model", notes: [String] = []
  ) {
    self.notes = notes
    self.tokenizer = tokenizer
    self.path = path
    self.roles = roles
    self.endTokens = endTokens
    self.chatTemplates = chatTemplates
  }

  /// The same with additional end tokens.
  public func ending(also more: Set<Int32>) -> PretrainedTokenizer {
    PretrainedTokenizer(
      tokenizer, roles: roles, endTokens: endTokens.union(more), chatTemplates: chatTemplates, path: path, notes: notes)
  }

  /// The same with another chat template.
  public func templated(_ source: String) -> PretrainedTokenizer {
    PretrainedTokenizer(
      tokenizer, roles: roles, endTokens: endTokens, chatTemplates: ["default": source], path: path, notes: notes)
  }

  /// The id of the token in a role, such as `bos_token`.
  public func id(of role: String) -> Int32? { roles[role].flatMap(tokenizer.specialTokens.id(of:)) }

  /// The template for a chat; nil when the files have none.
  ///
  /// As in `transformers`: with several, the one called `tool_use` for chats with tools, else `default`.
  /// - Throws: `ChatTemplateError` if the template is not supported, or none has the name.
  public func chatTemplate(named name: String? = nil, hasTools: Bool = false) throws(ChatTemplateError) -> ChatTemplate?
  {
    if chatTemplates.isEmpty { return nil }
    let wanted = name ?? (hasTools && chatTemplates["tool_use"] != nil ? "tool_use" : "default")
    guard let source = chatTemplates[wanted] else {
      let names = chatTemplates.keys.sorted().joined(separator: ", ")
      throw ChatTemplateError(
        kind: .evaluation, problem: "there is no template called '\(wanted)'; \(path) has \(names)")
    }
    return try ChatTemplate(source)
  }

  /// The text of a conversation, formatted by the model's own template.
  ///
  /// - Throws: `ChatTemplateError`, also when the model has no template.
  public func render(
    _ messages: [ChatMessage], addGenerationPrompt: Bool = true, tools: [JSONValue]? = nil,
    extra: JSONObject = JSONObject(), templateNamed name: String? = nil
  ) throws(ChatTemplateError) -> String {
    guard let template = try chatTemplate(named: name, hasTools: tools != nil) else {
      throw ChatTemplateError(
        kind: .evaluation,
        problem: "\(path) has none; it was not made for chat, or its tokenizer_config.json is missing")
    }
    return try template.render(
      messages, specialTokens: roles, addGenerationPrompt: addGenerationPrompt, tools: tools, extra: extra)
  }

  /// The tokens of a conversation. A template writes the beginning-of-text token itself, so none are added.
  ///
  /// Control tokens in the text of a message are recognized, as in `transformers`: check untrusted input.
  public func encode(
    _ messages: [ChatMessage], addGenerationPrompt: Bool = true, tools: [JSONValue]? = nil,
    extra: JSONObject = JSONObject()
  ) throws -> [Int32] {
    try tokenizer.encode(
      try render(messages, addGenerationPrompt: addGenerationPrompt, tools: tools, extra: extra))
  }
}

extension PretrainedTokenizer {
  /// Reads the tokenizer of a model: a GGUF file, a Hugging Face folder, or a `tokenizer.json` with the files next
  /// to it.
  ///
  /// - Throws: ``TokenizerError``, `GGUFError`, `JSONError` or `FileError`, each naming the file and the field.
  public static func load(_ path: String) throws -> PretrainedTokenizer {
    let path = try GGUFFile.path(meantBy: path)
    if try GGUFFile.isGGUF(path) {
      return try PretrainedTokenizer(try GGUFFile(path: path).metadata)
    }
    return try HuggingFaceTokenizerFiles(path).pretrained()
  }

  /// The tokenizer in the metadata of a GGUF file.
  public init(_ metadata: GGUFMetadata) throws {
    let reader = GGUFTokenizerReader(metadata: metadata)
    let tokenizer = try reader.tokenizer()
    var roles: [String: String] = [:]
    var ends: Set<Int32> = []
    let keys = [
      ("bos_token", "bos_token_id"), ("eos_token", "eos_token_id"), ("unk_token", "unknown_token_id"),
      ("sep_token", "seperator_token_id"), ("pad_token", "padding_token_id"), ("cls_token", "cls_token_id"),
      ("mask_token", "mask_token_id"),
    ]
    for (role, key) in keys {
      guard let id = try reader.identifier(key, count: tokenizer.vocabularySize) else { continue }
      roles[role] = tokenizer.specialTokens.token(id)?.content ?? tokenizer.piece(id)
    }
    for key in ["eos_token_id", "eot_token_id", "eom_token_id"] {
      if let id = try reader.identifier(key, count: tokenizer.vocabularySize) { ends.insert(id) }
    }
    ends.formUnion(Self.knownEnds(tokenizer.specialTokens))
    var templates: [String: String] = [:]
    for member in metadata.members where member.key.hasPrefix("tokenizer.chat_template") {
      let name = member.key.dropFirst("tokenizer.chat_template".count)
      if name.isEmpty {
        templates["default"] = try metadata.string(member.key)
      } else if name.hasPrefix(".") {
        templates[String(name.dropFirst())] = try metadata.string(member.key)
      }
    }
    ends.formUnion(TurnEnd.tokens(tokenizer, templates["default"], roles, known: ends))
    self.init(tokenizer, roles: roles, endTokens: ends, chatTemplates: templates, path: metadata.file)
  }

  /// Control tokens that end a turn or a text, whether or not a file says so.
  static let endSpellings: Set<String> = [
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|eom_id|>", "<|end_of_text|>", "</s>",
    "<|return|>", "<|call|>", "<eos>", "<EOT>", "<|EOT|>", "<|end_of_turn|>", "<|END_OF_TURN_TOKEN|>",
    "<end_of_utterance>", "<｜end▁of▁sentence｜>",
  ]

  /// Files often name only one of several end tokens; the others are known by their spelling, as in llama.cpp.
  static func knownEnds(_ tokens: SpecialTokens) -> [Int32] {
    tokens.filter { $0.isControl && endSpellings.contains($0.content) }.map(\.id)
  }
}

import NablaFormats
import NablaNN
import NablaTensor
import NablaText

extension ModelConversion {
  /// - Parameters:
  ///   - tokenizer: nil to copy the files of the input folder.
  ///   - generation: nil as well.
  func writeFolder(
    _ source: ModelSource, _ tokenizer: PretrainedTokenizer?, _ generation: GenerationDefaults?,
    _ progress: @escaping Progress
  ) throws {
    let type = type ?? .f32
    let (c, dtype) = (source.configuration, DType(type)!)
    try AtomicFolder.write(to: output) { folder in
      if let tokenizer {
        try tokenizer.writeFiles(to: folder, context: c.context, generation ?? GenerationDefaults())
      } else {
        for name in Self.tokenizerFiles where pathExists("\(input)/\(name)") { try copyFile(name, to: folder) }
        let templates = "additional_chat_templates"
        if FileKind("\(input)/\(templates)", followingLinks: true) == .folder {
          try createFolders("\(folder)/\(templates)")
          for name in try folderEntries("\(input)/\(templates)") { try copyFile("\(templates)/\(name)", to: folder) }
        }
      }
      try AtomicFile.write(
        config(source, tokenizer, dtype).serialized(.indented) + "\n", to: "\(folder)/config.json")
      let tensors: [SafetensorsTensor]
      if source.architecture == .gpt2 || source.architecture == .nabla {
        var state: [String: Tensor] = [:]
        for name in source.parameters { state[name] = try source.tensor(name).cast(.float32) }
        tensors = source.architecture.exported(state, c).map { SafetensorsTensor(name: $0.key, $0.value.cast(dtype)) }
      } else {
        var done = 0
        tensors = source.parameters.map { name in
          SafetensorsTensor(name: name, dtype: SafetensorsDType(dtype), shape: c.shape(of: name)) { writer in
            try progress(done, source.parameters.count, name)
            done += 1
            try writeRows(of: source.tensor(name), as: dtype, to: writer)
          }
        }
      }
      try SafetensorsFile.write(tensors, metadata: [("format", "pt")], to: "\(folder)/\(ModelFolder.weightsName)")
    }
  }

  private func copyFile(_ name: String, to folder: String) throws {
    try MappedFile(path: "\(input)/\(name)").withBytes { bytes in
      try AtomicFile.write(Array(bytes), to: "\(folder)/\(name)")
    }
  }

  private static let tokenizerFiles = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.model",
    "vocab.json", "merges.txt", "chat_template.jinja", "generation_config.json",
  ]

  private func config(_ source: ModelSource, _ tokenizer: PretrainedTokenizer?, _ dtype: DType) throws -> JSONValue {
    guard let tokenizer else {
      var config = try JSONValue(contentsOfFile: "\(input)/config.json").object ?? JSONObject()
      for key in ["dtype", "torch_dtype"] where config[key] != nil { config[key] = .string(dtype.rawValue) }
      return .object(config)
    }
    var config = source.architecture.config(source.configuration, endOfText: nil).object ?? JSONObject()
    for key in ["dtype", "torch_dtype"] { config[key] = .string(dtype.rawValue) }
    for (key, role) in [("bos_token_id", "bos_token"), ("eos_token_id", "eos_token"), ("pad_token_id", "pad_token")] {
      config[key] = tokenizer.id(of: role).map { .integer(Int($0)) } ?? .null
    }
    return .object(config)
  }
}

extension PretrainedTokenizer {
  /// `tokenizer.json`, `tokenizer_config.json` and `generation_config.json`.
  func writeFiles(to folder: String, context: Int, _ defaults: GenerationDefaults) throws {
    try AtomicFile.write(tokenizer.tokenizerJSON(), to: "\(folder)/tokenizer.json")
    // The class that reads tokenizer.json as is, whatever the model type.
    var configuration = JSONObject([
      ("tokenizer_class", "PreTrainedTokenizerFast"), ("clean_up_tokenization_spaces", false),
      ("model_max_length", .integer(context)),
    ])
    for (role, content) in roles.sorted(by: { $0.key < $1.key }) { configuration[role] = .string(content) }
    if chatTemplates.count == 1, let template = chatTemplates["default"] {
      configuration["chat_template"] = .string(template)
    } else if !chatTemplates.isEmpty {
      configuration["chat_template"] = .array(
        chatTemplates.sorted { $0.key < $1.key }.map { ["name": .string($0.key), "template": .string($0.value)] })
    }
    try AtomicFile.write(
      JSONValue.object(configuration).serialized(.indented) + "\n", to: "\(folder)/tokenizer_config.json")
    var generation = JSONObject([("_from_model_config", .bool(true))])
    if let id = id(of: "bos_token") { generation["bos_token_id"] = .integer(Int(id)) }
    let ends = endTokens.union(defaults.endTokens).sorted().map { JSONValue.integer(Int($0)) }
    if !ends.isEmpty { generation["eos_token_id"] = ends.count == 1 ? ends[0] : .array(ends) }
    defaults.write(to: &generation)
    try AtomicFile.write(
      JSONValue.object(generation).serialized(.indented) + "\n", to: "\(folder)/generation_config.json")
  }
}

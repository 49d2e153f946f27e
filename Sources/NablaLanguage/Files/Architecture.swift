import NablaFormats
import NablaNN
import NablaTensor

/// The families of models whose files Nabla reads and writes, by their `model_type`.
enum Architecture: String, CaseIterable {
  case llama, mistral, qwen2, qwen3, gpt2
  /// Everything else Nabla can train: its own configuration in `config.json`, its own names.
  case nabla

  /// The family that a configuration belongs to.
  init(of c: TransformerConfiguration) {
    guard c.normPlacement == .pre else {
      self = .nabla
      return
    }
    let projectionBias = c.queryKeyValueBias ?? c.bias
    let hasWindow = c.window != nil
    // Only Llama allows attention and feed-forward network to differ in their biases.
    let isUniform = c.feedForwardBias ?? c.bias == c.bias
    if c.positions == .rotary && c.norm == .rms && c.feedForward == .swiglu {
      switch (c.headNorm, projectionBias, c.bias) {
      case (.rms, false, false) where isUniform: self = .qwen3
      // The head size of a Qwen 2 follows from its width.
      case (nil, true, false) where isUniform && c.width == c.headSize * c.headCount: self = .qwen2
      case (nil, _, _) where projectionBias == c.bias && !hasWindow: self = .llama
      case (nil, false, false) where isUniform && c.firstWindowLayer ?? 0 == 0: self = .mistral
      default: self = .nabla
      }
    } else if c.positions == .learned && c.norm == .layer && c.feedForward == .gelu && !hasWindow && c.headNorm == nil
      && projectionBias == c.bias && isUniform && c.keyValueHeadCount == c.headCount
      && c.width == c.headSize * c.headCount
    {
      self = .gpt2
    } else {
      self = .nabla
    }
  }

  /// What keeps a configuration from being one of the families that other libraries load; nil if it is one.
  static func reasonForOwn(_ c: TransformerConfiguration) -> String? {
    guard Architecture(of: c) == .nabla else { return nil }
    if c.normPlacement == .post { return "norms after the sublayers" }
    switch c.positions {
    case .sinusoidal: return "sinusoidal positions"
    case .rotary where c.norm == .layer: return "rotary positions with LayerNorm"
    case .rotary where c.feedForward != .swiglu: return "rotary positions with \(c.feedForward.rawValue)"
    case .learned where c.norm == .rms: return "learned positions with RMS norm"
    case .learned where c.feedForward != .gelu: return "learned positions with \(c.feedForward.rawValue)"
    case .learned where c.keyValueHeadCount != c.headCount: return "learned positions with grouped-query attention"
    case .learned where c.window != nil: return "learned positions with a sliding window"
    case .rotary where c.window != nil: return "a sliding window with biases"
    default: return "this combination of settings"
    }
  }

  static func read(
    _ config: JSONValue, file: String
  ) throws(ModelFolderError) -> (Architecture, TransformerConfiguration) {
    guard let type = config["model_type"]?.string else {
      throw ModelFolderError(file: file, problem: "no \"model_type\": this is not the configuration of a model")
    }
    guard let architecture = Architecture(rawValue: type) else {
      let known = allCases.filter { $0 != .nabla }.map(\.rawValue).joined(separator: ", ")
      throw ModelFolderError(file: file, problem: "models of type \"\(type)\" are not supported (\(known) are)")
    }
    let fields = ConfigFields(config, file: file)
    switch architecture {
    case .llama, .mistral, .qwen2, .qwen3: return (architecture, try architecture.llamaConfiguration(fields))
    case .gpt2: return (architecture, try gpt2Configuration(fields))
    case .nabla: return (architecture, try fields.decoded("nabla", as: TransformerConfiguration.self))
    }
  }

  func config(_ c: TransformerConfiguration, endOfText: Int32?) -> JSONValue {
    var object: JSONObject =
      switch self {
      case .llama, .mistral, .qwen2, .qwen3: llamaConfig(c)
      case .gpt2: Self.gpt2Config(c)
      case .nabla: JSONObject([("model_type", "nabla"), ("nabla", encoded(c))])
      }
    let end: JSONValue = endOfText.map { .integer(Int($0)) } ?? .null
    object["bos_token_id"] = end
    object["eos_token_id"] = end
    return .object(object)
  }

  /// The tensors of a file from those of a model.
  func exported(_ state: [String: Tensor], _ c: TransformerConfiguration) -> [String: Tensor] {
    self == .gpt2 ? Self.gpt2Exported(state, c) : state
  }

  /// The tensors of a model from those of a file.
  func imported(_ state: [String: Tensor], _ c: TransformerConfiguration) throws(StateError) -> [String: Tensor] {
    var state = state
    // Tied models are often stored with both names for the same tensor.
    if c.tieEmbeddings { state["lm_head.weight"] = nil }
    // Old Llama files contain the rotary frequencies, which follow from the configuration.
    for name in state.keys where name.hasSuffix(".rotary_emb.inv_freq") { state[name] = nil }
    return self == .gpt2 ? try Self.gpt2Imported(state, c) : state
  }
}

extension TransformerConfiguration {
  /// What keeps a model from being written as one that transformers and llama.cpp load; nil for those that are.
  public var reasonForOwnFormat: String? { Architecture.reasonForOwn(self) }
}

/// The fields of a `config.json`, with errors that name them.
struct ConfigFields {
  let config: JSONValue
  let file: String

  init(_ config: JSONValue, file: String) {
    self.config = config
    self.file = file
  }

  func has(_ name: String) -> Bool { config[name].map { $0 != .null } ?? false }

  func integer(_ name: String, default standard: Int? = nil) throws(ModelFolderError) -> Int {
    guard has(name) else { return try missing(name, standard) }
    guard let value = config[name]?.integer, value >= 0, value <= 1 << 30 else {
      throw wrong(name, "a non-negative integer")
    }
    return value
  }

  func number(_ name: String, default standard: Double? = nil) throws(ModelFolderError) -> Double {
    guard has(name) else { return try missing(name, standard) }
    guard let value = config[name]?.double, value.isFinite else { throw wrong(name, "a number") }
    return value
  }

  func bool(_ name: String, default standard: Bool? = nil) throws(ModelFolderError) -> Bool {
    guard has(name) else { return try missing(name, standard) }
    guard let value = config[name]?.bool else { throw wrong(name, "true or false") }
    return value
  }

  func string(_ name: String, default standard: String? = nil) throws(ModelFolderError) -> String {
    guard has(name) else { return try missing(name, standard) }
    guard let value = config[name]?.string else { throw wrong(name, "a string") }
    return value
  }

  func fields(_ name: String) throws(ModelFolderError) -> ConfigFields? {
    guard has(name) else { return nil }
    guard config[name]?.object != nil else { throw wrong(name, "an object") }
    return ConfigFields(config[name]!, file: "\(file), \"\(name)\"")
  }

  func decoded<Value: Decodable>(_ name: String, as type: Value.Type) throws(ModelFolderError) -> Value {
    guard let value = config[name] else { throw ModelFolderError(file: file, problem: "no field \"\(name)\"") }
    do {
      return try decodedJSON(value, as: type)
    } catch {
      throw ModelFolderError(file: file, problem: "\"\(name)\" cannot be read: \(error)")
    }
  }

  /// Throws if a field is given with a value other than the supported one.
  func require(_ name: String, _ expected: JSONValue) throws(ModelFolderError) {
    guard has(name), config[name] != expected else { return }
    throw ModelFolderError(
      file: file,
      problem: "\"\(name)\": \(config[name]!.serialized()) is not supported (only \(expected.serialized()) is)")
  }

  private func missing<Value>(_ name: String, _ standard: Value?) throws(ModelFolderError) -> Value {
    guard let standard else { throw ModelFolderError(file: file, problem: "no field \"\(name)\"") }
    return standard
  }

  private func wrong(_ name: String, _ expected: String) -> ModelFolderError {
    ModelFolderError(file: file, problem: "\"\(name)\" should be \(expected), not \(config[name]!.serialized())")
  }
}

import NablaFormats
import NablaNN

/// The contents of the `adapter_config.json` of a LoRA adapter.
struct AdapterConfig {
  /// The base model's name or path.
  var base: String?
  var rank: Int
  var alpha: Double
  var dropout: Double
  var usesRSLoRA: Bool
  var usesDoRA: Bool
  var targets: [String]
  /// Layers whose α differs, by the suffixes of their names.
  var alphas: [String: Double] = [:]
  /// Layers whose rank differs, for PEFT; here it follows from the tensors.
  private var ranks: [String: Int] = [:]
  /// Whether the adapter is that of a reward model, with the head of it beside the adapters.
  var hasScore = false

  /// - Parameters:
  ///   - adapter: has the configuration that is written; layers may differ from it in rank and α.
  ///   - layers: all of them.
  ///   - base: the base model's name or path.
  init(_ adapter: LoRAAdapter, layers: [(path: String, adapter: LoRAAdapter)], base: String) {
    let configuration = adapter.configuration
    self.base = base
    (rank, alpha) = Self.rankAndAlpha(of: adapter)
    usesRSLoRA = configuration.usesRankStabilization
    dropout = Double("\(configuration.dropout)") ?? 0
    usesDoRA = configuration.usesMagnitude
    targets = Set(layers.map { String($0.path.split(separator: ".").last!) }).sorted()
    // Ambiguous names are written in full.
    if configuration.targets != [LoRAConfiguration.allLinear]
      && configuration.targets.contains(where: { $0.contains(".") })
    {
      targets = layers.map(\.path).sorted()
    }
    for (path, layer) in layers {
      let own = Self.rankAndAlpha(of: layer)
      if own.rank != rank { ranks[path] = own.rank }
      if own.alpha != alpha { alphas[path] = own.alpha }
    }
  }

  /// The rank as written, and the α that gives the adapter's scale with it: PiSSA's update has twice the rank.
  private static func rankAndAlpha(of adapter: LoRAAdapter) -> (rank: Int, alpha: Double) {
    let (configuration, rank) = (adapter.configuration, adapter.factors.down.shape[0])
    if rank == configuration.rank { return (rank, Double(configuration.alpha)) }
    let divisor = configuration.usesRankStabilization ? Double(rank).squareRoot() : Double(rank)
    return (rank, Double(configuration.scale) * divisor)
  }

  /// A whole number without a fraction, as PEFT writes it.
  private static func json(alpha: Double) -> JSONValue { Int(exactly: alpha).map { .integer($0) } ?? .number(alpha) }

  /// The values of single layers, sorted by name.
  private static func pattern(_ values: [String: JSONValue]) -> JSONValue {
    .object(JSONObject(values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
  }

  var json: JSONValue {
    let alphaPattern = Self.pattern(alphas.mapValues { Self.json(alpha: $0) })
    let rankPattern = Self.pattern(ranks.mapValues { .integer($0) })
    return [
      "alpha_pattern": alphaPattern, "base_model_name_or_path": base.map { .string($0) } ?? .null, "bias": "none",
      "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true, "layers_pattern": .null,
      "layers_to_transform": .null, "lora_alpha": Self.json(alpha: alpha),
      "lora_dropout": .number(dropout), "modules_to_save": hasScore ? ["score"] : .null, "peft_type": "LORA",
      "r": .integer(rank),
      "rank_pattern": rankPattern, "revision": .null, "target_modules": .array(targets.map { .string($0) }),
      "task_type": hasScore ? "SEQ_CLS" : "CAUSAL_LM", "use_dora": .bool(usesDoRA), "use_rslora": .bool(usesRSLoRA),
    ]
  }

  /// - Throws: an error that names the file, and the field that is missing or not supported.
  init(file: String) throws {
    let fields = ConfigFields(try JSONValue(contentsOfFile: file), file: file)
    guard fields.config.object != nil else { throw ModelFolderError(file: file, problem: "is not a JSON object") }
    let type = try fields.string("peft_type")
    guard type == "LORA" else {
      throw ModelFolderError(file: file, problem: "adapters of type \"\(type)\" are not supported (only \"LORA\" are)")
    }
    try fields.require("bias", "none")
    try fields.require("fan_in_fan_out", false)
    try fields.require("lora_bias", false)
    base = fields.has("base_model_name_or_path") ? try fields.string("base_model_name_or_path") : nil
    if base?.isEmpty == true { base = nil }
    rank = try fields.integer("r")
    alpha = try fields.number("lora_alpha")
    dropout = try fields.number("lora_dropout", default: 0)
    usesRSLoRA = try fields.bool("use_rslora", default: false)
    usesDoRA = try fields.bool("use_dora", default: false)
    targets = fields.config["target_modules"]?.array?.compactMap(\.string) ?? []
    hasScore = try fields.string("task_type", default: "CAUSAL_LM") == "SEQ_CLS"
    let saved = fields.config["modules_to_save"]
    // PEFT itself adds "classifier", which no model here has.
    if let saved, saved != .null, !(hasScore && saved.array?.contains("score") == true) {
      throw ModelFolderError(file: file, problem: "\"modules_to_save\" is not supported")
    }
    for name in ["trainable_token_indices", "layer_replication", "megatron_config"] {
      if let value = fields.config[name], value != .null, value.array?.isEmpty != true {
        throw ModelFolderError(file: file, problem: "\"\(name)\" is not supported")
      }
    }
    for (key, value) in fields.config["alpha_pattern"]?.object?.members.map({ ($0.key, $0.value) }) ?? [] {
      guard let alpha = value.double, key.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }) else {
        throw ModelFolderError(file: file, problem: "\"alpha_pattern\": \"\(key)\" is not supported (only names are)")
      }
      alphas[key] = alpha
    }
    for (name, value) in [("lora_alpha", alpha)] + alphas.map({ ($0.key, $0.value) }) where !(value > 0) {
      throw ModelFolderError(file: file, problem: "\"\(name)\": \(value) is not a positive number")
    }
  }

  /// The configuration of a layer's adapter, whose rank follows from its tensors.
  func configuration(of layer: String, rank: Int) -> LoRAConfiguration {
    let own = alphas.first { layer == $0.key || layer.hasSuffix("." + $0.key) }?.value
    return LoRAConfiguration(
      rank: rank, alpha: Float(own ?? alpha), dropout: Float(min(max(dropout, 0), 0.999)),
      targets: targets.isEmpty ? [LoRAConfiguration.allLinear] : targets, usesRankStabilization: usesRSLoRA,
      usesMagnitude: usesDoRA)
  }
}

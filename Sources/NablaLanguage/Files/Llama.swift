import NablaFormats
import NablaNN

// The `config.json` of Llama and the families that differ from it by a field or two: Mistral (a sliding window), Qwen 2
// (biases of queries, keys and values) and Qwen 3 (norms of the heads). Their tensors have the names that Nabla uses.
extension Architecture {
  /// transformers' defaults for missing fields.
  private var defaults: (context: Int, headSize: Int?) {
    switch self {
    case .mistral: (131_072, nil)
    case .qwen2: (32_768, nil)
    case .qwen3: (32_768, 128)
    default: (2048, nil)
    }
  }

  func llamaConfiguration(_ f: ConfigFields) throws(ModelFolderError) -> TransformerConfiguration {
    try f.require("hidden_act", "silu")
    let attentionBias = self == .llama ? try f.bool("attention_bias", default: false) : false
    if self == .qwen3 { try f.require("attention_bias", false) }
    guard try f.number("partial_rotary_factor", default: 1) == 1 else {
      throw ModelFolderError(file: f.file, problem: "\"partial_rotary_factor\" other than 1 is not supported")
    }
    let width = try f.integer("hidden_size")
    let heads = try f.integer("num_attention_heads")
    var c = TransformerConfiguration(
      vocabularySize: try f.integer("vocab_size"),
      context: try f.integer("max_position_embeddings", default: defaults.context),
      width: width, layerCount: try f.integer("num_hidden_layers"), headCount: heads,
      keyValueHeadCount: try f.integer("num_key_value_heads", default: heads),
      headSize: try f.integer("head_dim", default: defaults.headSize ?? width / max(heads, 1)),
      feedForwardWidth: try f.integer("intermediate_size"))
    c.bias = attentionBias
    if self == .llama {
      let feedForwardBias = try f.bool("mlp_bias", default: false)
      if feedForwardBias != attentionBias { c.feedForwardBias = feedForwardBias }
    }
    if self == .qwen2 { c.queryKeyValueBias = true }
    if self == .qwen3 { c.headNorm = .rms }
    c.normEpsilon = Float(try f.number("rms_norm_eps", default: 1e-6))
    c.tieEmbeddings = try f.bool("tie_word_embeddings", default: false)
    // transformers 5 stores all of it in rope_parameters; earlier versions had rope_theta and rope_scaling.
    let rope = try f.fields(f.has("rope_parameters") ? "rope_parameters" : "rope_scaling")
    c.rotaryBase = try (rope?.has("rope_theta") == true ? rope! : f).number("rope_theta", default: 10_000)
    c.rotaryScaling = try rope.map { fields throws(ModelFolderError) in try rotaryScaling(fields, c.context) } ?? .none
    try readWindow(f, into: &c)
    return c
  }

  private func readWindow(_ f: ConfigFields, into c: inout TransformerConfiguration) throws(ModelFolderError) {
    switch self {
    case .mistral:
      // If missing, it is the first Mistral's; null is none.
      c.window =
        f.config["sliding_window"] == nil ? 4096 : f.has("sliding_window") ? try f.integer("sliding_window") : nil
    case .qwen2, .qwen3:
      guard try f.bool("use_sliding_window", default: false), f.has("sliding_window") else { return }
      c.window = try f.integer("sliding_window")
      let first = try f.integer("max_window_layers", default: 28)
      // transformers 5 also writes the type of each layer.
      if f.has("layer_types") {
        let expected = (0..<c.layerCount).map { $0 < first ? "full_attention" : "sliding_attention" }
        try f.require("layer_types", .array(expected.map { .string($0) }))
      }
      c.firstWindowLayer = first == 0 ? nil : first
    default: break
    }
  }

  private func rotaryScaling(_ f: ConfigFields, _ context: Int) throws(ModelFolderError) -> RotaryScaling {
    let type = try f.string(f.has("rope_type") ? "rope_type" : "type", default: "default")
    switch type {
    case "default": return .none
    case "linear": return .linear(factor: try f.number("factor"))
    case "llama3":
      return .llama3(
        factor: try f.number("factor"), lowFrequencyFactor: try f.number("low_freq_factor"),
        highFrequencyFactor: try f.number("high_freq_factor"),
        originalContext: try f.integer("original_max_position_embeddings"))
    case "yarn":
      return .yarn(
        factor: try f.number("factor"), betaFast: try f.number("beta_fast", default: 32),
        betaSlow: try f.number("beta_slow", default: 1),
        originalContext: try f.integer("original_max_position_embeddings", default: context),
        attentionFactor: f.has("attention_factor") ? try f.number("attention_factor") : nil)
    default:
      throw ModelFolderError(file: f.file, problem: "rotary scaling of type \"\(type)\" is not supported")
    }
  }

  private var className: String {
    switch self {
    case .mistral: "MistralForCausalLM"
    case .qwen2: "Qwen2ForCausalLM"
    case .qwen3: "Qwen3ForCausalLM"
    default: "LlamaForCausalLM"
    }
  }

  func llamaConfig(_ c: TransformerConfiguration) -> JSONObject {
    var rope: JSONObject
    switch c.rotaryScaling {
    case .none:
      rope = JSONObject([("rope_type", "default")])
    case .linear(let factor):
      rope = JSONObject([("rope_type", "linear"), ("factor", .number(factor))])
    case .llama3(let factor, let low, let high, let original):
      rope = JSONObject([
        ("rope_type", "llama3"), ("factor", .number(factor)), ("low_freq_factor", .number(low)),
        ("high_freq_factor", .number(high)), ("original_max_position_embeddings", .integer(original)),
      ])
    case .yarn(let factor, let fast, let slow, let original, let attention):
      rope = JSONObject([
        ("rope_type", "yarn"), ("factor", .number(factor)), ("beta_fast", .number(fast)), ("beta_slow", .number(slow)),
        ("original_max_position_embeddings", .integer(original)),
      ])
      rope["attention_factor"] = attention.map { .number($0) }
    }
    rope["rope_theta"] = .number(c.rotaryBase)
    var object = JSONObject([
      ("architectures", .array([.string(className)])), ("model_type", .string(rawValue)), ("hidden_act", "silu"),
      ("vocab_size", .integer(c.vocabularySize)), ("max_position_embeddings", .integer(c.context)),
      ("hidden_size", .integer(c.width)), ("num_hidden_layers", .integer(c.layerCount)),
      ("num_attention_heads", .integer(c.headCount)), ("num_key_value_heads", .integer(c.keyValueHeadCount)),
      ("head_dim", .integer(c.headSize)), ("intermediate_size", .integer(c.feedForwardWidth)),
      ("rms_norm_eps", .number(shortest: c.normEpsilon)),
      ("tie_word_embeddings", .bool(c.tieEmbeddings)),
      ("rope_theta", .number(c.rotaryBase)), ("rope_parameters", .object(rope)), ("dtype", "float32"),
      ("torch_dtype", "float32"),
    ])
    switch self {
    case .llama: (object["attention_bias"], object["mlp_bias"]) = (.bool(c.bias), .bool(c.feedForwardBias ?? c.bias))
    case .mistral: object["sliding_window"] = c.window.map { .integer($0) } ?? .null
    case .qwen2, .qwen3:
      object["use_sliding_window"] = .bool(c.window != nil)
      object["sliding_window"] = c.window.map { .integer($0) } ?? .null
      object["max_window_layers"] = .integer(c.firstWindowLayer ?? 0)
      if self == .qwen3 { object["attention_bias"] = false }
    default: break
    }
    // For transformers before version 5.
    if c.rotaryScaling != .none { object["rope_scaling"] = .object(rope) }
    return object
  }
}

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
    try readRotary(f, into: &c)
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

  private var className: String {
    switch self {
    case .mistral: "MistralForCausalLM"
    case .qwen2: "Qwen2ForCausalLM"
    case .qwen3: "Qwen3ForCausalLM"
    default: "LlamaForCausalLM"
    }
  }

  func llamaConfig(_ c: TransformerConfiguration) -> JSONObject {
    var rope = rotaryConfig(c)
    rope["rope_theta"] = .number(c.rotaryBase)
    var object = JSONObject([
      ("architectures", .array([.string(className)])), ("model_type", .string(rawValue)), ("hidden_act", "silu"),
      ("vocab_size", .integer(c.vocabularySize)), ("max_position_embeddings", .integer(c.extendedContext)),
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

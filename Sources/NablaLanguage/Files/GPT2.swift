import NablaFormats
import NablaNN
import NablaTensor

// GPT-2's `config.json`, and its tensors: matrices are stored [in, out], and queries, keys and values are fused.
extension Architecture {
  static func gpt2Configuration(_ f: ConfigFields) throws(ModelFolderError) -> TransformerConfiguration {
    try f.require("activation_function", "gelu_new")
    try f.require("scale_attn_weights", true)
    try f.require("scale_attn_by_inverse_layer_idx", false)
    try f.require("add_cross_attention", false)
    let width = try f.integer("n_embd")
    var c = TransformerConfiguration(
      vocabularySize: try f.integer("vocab_size"), context: try f.integer("n_positions"), width: width,
      layerCount: try f.integer("n_layer"), headCount: try f.integer("n_head"),
      feedForwardWidth: try f.integer("n_inner", default: 4 * width), feedForward: .gelu)
    c.norm = .layer
    c.positions = .learned
    c.bias = true
    c.normEpsilon = Float(try f.number("layer_norm_epsilon", default: 1e-5))
    c.tieEmbeddings = try f.bool("tie_word_embeddings", default: true)
    return c
  }

  static func gpt2Config(_ c: TransformerConfiguration) -> JSONObject {
    JSONObject([
      ("architectures", .array(["GPT2LMHeadModel"])), ("model_type", "gpt2"), ("activation_function", "gelu_new"),
      ("vocab_size", .integer(c.vocabularySize)), ("n_positions", .integer(c.context)), ("n_embd", .integer(c.width)),
      ("n_layer", .integer(c.layerCount)), ("n_head", .integer(c.headCount)),
      ("n_inner", .integer(c.feedForwardWidth)), ("layer_norm_epsilon", .number(shortest: c.normEpsilon)),
      ("tie_word_embeddings", .bool(c.tieEmbeddings)), ("resid_pdrop", .number(Double(c.dropout))),
      ("embd_pdrop", .number(Double(c.dropout))), ("attn_pdrop", 0.0), ("dtype", "float32"),
      ("torch_dtype", "float32"),
    ])
  }

  private static let norms = [("input_layernorm", "ln_1"), ("post_attention_layernorm", "ln_2")]
  private static let matrices = [
    ("self_attn.o_proj", "attn.c_proj"), ("mlp.up_proj", "mlp.c_fc"), ("mlp.down_proj", "mlp.c_proj"),
  ]
  private static let projections = ["q_proj", "k_proj", "v_proj"]

  static func gpt2Exported(_ state: [String: Tensor], _ c: TransformerConfiguration) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    result["transformer.wte.weight"] = state["model.embed_tokens.weight"]
    result["transformer.wpe.weight"] = state["model.embed_positions.weight"]
    result["lm_head.weight"] = state["lm_head.weight"]
    for part in ["weight", "bias"] { result["transformer.ln_f.\(part)"] = state["model.norm.\(part)"] }
    for layer in 0..<c.layerCount {
      let (from, to) = ("model.layers.\(layer)", "transformer.h.\(layer)")
      for (mine, theirs) in norms {
        for part in ["weight", "bias"] { result["\(to).\(theirs).\(part)"] = state["\(from).\(mine).\(part)"] }
      }
      for (mine, theirs) in matrices {
        let weight = state["\(from).\(mine).weight"]!
        result["\(to).\(theirs).weight"] = weight.transposed()
        // A model without biases is written as a GPT-2 whose biases are 0.
        result["\(to).\(theirs).bias"] = state["\(from).\(mine).bias"] ?? .zeros([weight.shape[0]])
      }
      let weights = projections.map { state["\(from).self_attn.\($0).weight"]! }
      result["\(to).attn.c_attn.weight"] = Tensor.concatenate(weights).transposed()
      result["\(to).attn.c_attn.bias"] = Tensor.concatenate(
        zip(projections, weights).map { state["\(from).self_attn.\($0).bias"] ?? .zeros([$1.shape[0]]) })
    }
    return result
  }

  static func gpt2Imported(
    _ state: [String: Tensor], _ c: TransformerConfiguration
  ) throws(StateError) -> [String: Tensor] {
    // Old files have no "transformer." prefix, and contain the causal mask as a tensor.
    var rest: [String: Tensor] = [:]
    for (name, tensor) in state where !name.hasSuffix(".attn.bias") && !name.hasSuffix(".attn.masked_bias") {
      rest[name.hasPrefix("transformer.") ? String(name.dropFirst(12)) : name] = tensor
    }
    var problems: [String] = []
    func take(_ name: String, rank: Int) -> Tensor? {
      guard let tensor = rest.removeValue(forKey: name) else {
        problems.append("missing tensor \(name)")
        return nil
      }
      guard tensor.rank == rank else {
        problems.append("\(name) has shape \(tensor.shape)")
        return nil
      }
      return tensor
    }
    var result: [String: Tensor] = [:]
    result["model.embed_tokens.weight"] = take("wte.weight", rank: 2)
    result["model.embed_positions.weight"] = take("wpe.weight", rank: 2)
    if !c.tieEmbeddings { result["lm_head.weight"] = take("lm_head.weight", rank: 2) }
    for part in ["weight", "bias"] { result["model.norm.\(part)"] = take("ln_f.\(part)", rank: 1) }
    for layer in 0..<c.layerCount {
      let (to, from) = ("model.layers.\(layer)", "h.\(layer)")
      for (mine, theirs) in norms {
        for part in ["weight", "bias"] { result["\(to).\(mine).\(part)"] = take("\(from).\(theirs).\(part)", rank: 1) }
      }
      for (mine, theirs) in matrices {
        result["\(to).\(mine).weight"] = take("\(from).\(theirs).weight", rank: 2)?.transposed()
        result["\(to).\(mine).bias"] = take("\(from).\(theirs).bias", rank: 1)
      }
      let (weight, bias) = (take("\(from).attn.c_attn.weight", rank: 2), take("\(from).attn.c_attn.bias", rank: 1))
      guard let weight, let bias, weight.shape[1] == 3 * c.width, bias.shape[0] == 3 * c.width else {
        problems.append("\(from).attn.c_attn does not have 3 · \(c.width) columns")
        continue
      }
      let rows = weight.transposed()
      for (i, projection) in projections.enumerated() {
        let part = i * c.width..<(i + 1) * c.width
        result["\(to).self_attn.\(projection).weight"] = rows[part].copy()
        result["\(to).self_attn.\(projection).bias"] = bias[part].copy()
      }
    }
    problems += rest.keys.sorted().map { "unknown tensor \($0)" }
    guard problems.isEmpty else { throw StateError(problems: problems) }
    return result
  }
}

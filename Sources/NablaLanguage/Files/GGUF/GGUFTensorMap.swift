import NablaFormats
import NablaNN
import NablaTensor

/// One tensor of a GGUF file, and the parameters of the model whose rows it holds.
struct GGUFTensorMap {
  let name: String
  /// The parameters, stacked; one, except for GPT-2's queries, keys and values.
  let parameters: [String]
  /// For queries and keys whose rows llama.cpp permutes: the number of heads.
  var interleavedHeads: Int?

  /// Every tensor of a model, in llama.cpp's order.
  static func all(_ architecture: GGUFArchitecture, _ c: TransformerConfiguration) -> [GGUFTensorMap] {
    var maps: [GGUFTensorMap] = []
    func add(_ name: String, _ parameters: String..., parts: [String], heads: Int? = nil) {
      for part in parts {
        maps.append(
          GGUFTensorMap(
            name: "\(name).\(part)", parameters: parameters.map { "\($0).\(part)" }, interleavedHeads: heads))
      }
    }
    let normParts = c.norm == .layer ? ["weight", "bias"] : ["weight"]
    let isGPT2 = architecture == .gpt2
    let parts = c.bias || isGPT2 ? ["weight", "bias"] : ["weight"]
    let feedForwardParts = c.feedForwardBias ?? c.bias || isGPT2 ? ["weight", "bias"] : ["weight"]
    let projectionParts = c.queryKeyValueBias ?? c.bias || isGPT2 ? ["weight", "bias"] : ["weight"]
    add("token_embd", "model.embed_tokens", parts: ["weight"])
    if c.positions == .learned { add("position_embd", "model.embed_positions", parts: ["weight"]) }
    for layer in 0..<c.layerCount {
      let (theirs, ours) = ("blk.\(layer)", "model.layers.\(layer)")
      add("\(theirs).attn_norm", "\(ours).input_layernorm", parts: normParts)
      if isGPT2 {
        add(
          "\(theirs).attn_qkv", "\(ours).self_attn.q_proj", "\(ours).self_attn.k_proj", "\(ours).self_attn.v_proj",
          parts: projectionParts)
      } else {
        let interleaves = architecture.interleavesHeads
        add(
          "\(theirs).attn_q", "\(ours).self_attn.q_proj", parts: projectionParts,
          heads: interleaves ? c.headCount : nil)
        add(
          "\(theirs).attn_k", "\(ours).self_attn.k_proj", parts: projectionParts,
          heads: interleaves ? c.keyValueHeadCount : nil)
        add("\(theirs).attn_v", "\(ours).self_attn.v_proj", parts: projectionParts)
      }
      if c.headNorm != nil {
        add("\(theirs).attn_q_norm", "\(ours).self_attn.q_norm", parts: ["weight"])
        add("\(theirs).attn_k_norm", "\(ours).self_attn.k_norm", parts: ["weight"])
      }
      add("\(theirs).attn_output", "\(ours).self_attn.o_proj", parts: parts)
      add("\(theirs).ffn_norm", "\(ours).post_attention_layernorm", parts: normParts)
      if c.feedForward == .swiglu { add("\(theirs).ffn_gate", "\(ours).mlp.gate_proj", parts: feedForwardParts) }
      add("\(theirs).ffn_up", "\(ours).mlp.up_proj", parts: feedForwardParts)
      add("\(theirs).ffn_down", "\(ours).mlp.down_proj", parts: feedForwardParts)
    }
    add("output_norm", "model.norm", parts: normParts)
    if !c.tieEmbeddings { add("output", "lm_head", parts: ["weight"]) }
    return maps
  }
}

extension Tensor {
  /// The rows of each head permuted from llama.cpp's order, where the two dimensions of a pair are adjacent, to that
  /// of Hugging Face, where they are half a head apart: row i + j · D/2 of a head comes from its row 2i + j. Whole rows
  /// move, so that blocks are unchanged.
  package func separatingPairs(heads: Int) -> Tensor {
    reorderingRows(heads: heads) { row, half in 2 * (row % half) + row / half }
  }

  /// The inverse.
  package func interleavingPairs(heads: Int) -> Tensor {
    reorderingRows(heads: heads) { row, half in row / 2 + row % 2 * half }
  }

  private func reorderingRows(heads: Int, _ source: (_ row: Int, _ half: Int) -> Int) -> Tensor {
    let rows = shape[0]
    precondition(rows % (2 * heads) == 0, "the rows of \(shape) are not those of \(heads) heads of even size")
    let rowBytes = dtype.byteCount(of: count / rows)
    let headSize = rows / heads
    let y = Tensor(uninitialized: shape, dtype: dtype)
    for row in 0..<rows {
      let from = row / headSize * headSize + source(row % headSize, headSize / 2)
      (y.pointer + row * rowBytes).copyMemory(from: pointer + from * rowBytes, byteCount: rowBytes)
    }
    return y
  }
}

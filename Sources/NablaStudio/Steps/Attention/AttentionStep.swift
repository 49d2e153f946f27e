import NablaTensor

extension StudioStep {
  /// Step 1: softmax(Q Kᵀ/√d) V of a real model.
  static let attention = StudioStep(
    "attention", title: "Self-attention",
    computations: [
      AttentionStep.model,
      AttentionStep.attend.recorded(
        heads + ["scaled", "causal"].map { ["layer": "2", "head": "0", $0: "0"] }
          + ["0.1", "0.35", "0.5", "2", "5", "10"].map { ["layer": "2", "head": "0", "temperature": $0] }),
      AttentionStep.heads, AttentionStep.saturation,
      AttentionStep.rotary.recorded(combining: [
        "m": ["0", "4", "8", "12", "16", "20", "23"], "n": ["0", "4", "8", "12", "16", "20", "23"],
      ]),
      AttentionStep.cache.recorded(combining: [
        "shape": ["this", "llama8b", "llama70b"], "context": ["2048", "8192", "32768", "131072", "1048576"],
        "share": ["1", "2", "4", "8", "16", "32", "64"],
      ]),
      AttentionStep.tiled.recorded(combining: ["tile": ["1", "2", "3", "4", "6", "8", "12"]]),
    ])

  /// Layers and heads of which an exported page has the numbers.
  private static let heads = [0, 1, 2, 3, 5, 8, 12, 16, 20, 24, 29].flatMap { layer in
    (0..<9).map { ["layer": "\(layer)", "head": "\($0)"] }
  }
}

enum AttentionStep {
  static let model = Computation.answer("model") { _, studio in try studio.model.use(\.facts) }

  /// A text as the model's tokens, at most 48, so that every number of a head can be looked at.
  static func read(
    _ query: StudioQuery, _ loaded: StudioModel.Loaded,
    default sentence: String = "The cat sat on the mat because it was tired."
  ) throws -> (ids: [Int32], pieces: [String], cut: Int) {
    let text = try query.text("text", atMost: 10_000, default: sentence)
    let all = try loaded.tokenizer.encode(text, recognizingSpecialTokens: false)
    if all.isEmpty { throw StudioError("there is no text: write a word or two") }
    let ids = Array(all.prefix(min(48, loaded.facts.context)))
    return (ids, ids.map(loaded.tokenizer.piece), all.count - ids.count)
  }

  /// The layer and the head that the page looks at.
  static func chosenHead(_ query: StudioQuery, _ loaded: StudioModel.Loaded) throws -> (layer: Int, head: Int) {
    let facts = loaded.facts
    return (
      try query.integer("layer", in: 0...facts.layers - 1, default: min(2, facts.layers - 1)),
      try query.integer("head", in: 0...facts.heads - 1, default: 0)
    )
  }

  /// Queries, keys and values of the chosen head: [T, d] each.
  static func oneHead(
    _ query: StudioQuery, _ loaded: StudioModel.Loaded
  ) throws -> (queries: Tensor, keys: Tensor, values: Tensor, count: Int) {
    let (layer, head) = try chosenHead(query, loaded)
    let (ids, _, _) = try read(query, loaded)
    let backbone = loaded.model.backbone
    let all = backbone.heads(layer: layer, of: loaded.stream(of: ids)[layer])
    // Query heads share a key/value head in groups of H/G.
    let group = head / (loaded.facts.heads / loaded.facts.keyValueHeads)
    return (all.queries.head(head), all.keys.head(group), all.values.head(group), ids.count)
  }
}

extension Tensor {
  /// Head `index` of self [1, T, H, D]: [T, D].
  fileprivate func head(_ index: Int) -> Tensor {
    let parts = split(Array(repeating: 1, count: shape[2]), axis: 2)
    return parts[index].cast(.float32).reshaped([shape[1], shape[3]])
  }
}

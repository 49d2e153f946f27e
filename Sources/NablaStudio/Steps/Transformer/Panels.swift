import NablaTensor

extension TransformerStep {
  /// The chapter's panels for a text: heads compared, entropy by layer, positions, sparsity, memory.
  struct Panels: Encodable {
    var tokens: [String]
    /// Of the chosen layer and head: [T, T].
    var attention: StudioTensor
    /// Of each head of the chosen layer: the mean of the weights that the mask lets through.
    var headMeans: [Double]
    /// Of each head of the chosen layer: the mean over rows of the largest weight.
    var headPeaks: [Double]
    /// Mean over heads and rows, in nats, of each layer.
    var entropies: [Double]
    /// The share of weights below 0.01 among those that the mask lets through, of each layer.
    var sparsity: [Double]
    /// What tells positions apart: [positions, dimensions].
    var positions: StudioTensor
    /// Bytes of the parameters in float32, and of one layer's activations of the stream [T, C] in float32.
    var parameterBytes, activationBytes: Double
    var parameters: Int
  }

  static let panels = Computation.answer("panels") { query, studio in
    try studio.model.use { loaded in
      let (ids, pieces, _) = try AttentionStep.read(query, loaded, default: sentence)
      let (layer, head) = try AttentionStep.chosenHead(query, loaded)
      let (count, heads) = (ids.count, loaded.facts.heads)
      let weights = loaded.model.attentionWeights(Tensor(ids, [1, count])).map { $0.array() }
      let visible = (0..<count).flatMap { i in (0...i).map { (i, $0) } }
      func matrix(_ layer: Int, _ head: Int) -> ArraySlice<Float> {
        weights[layer][head * count * count..<(head + 1) * count * count]
      }
      func rows(_ w: ArraySlice<Float>) -> [ArraySlice<Float>] {
        (0..<count).map { w[w.startIndex + $0 * count..<w.startIndex + ($0 + 1) * count] }
      }
      func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
      let own = (0..<heads).map { matrix(layer, $0) }
      let table = loaded.model.positionTable()
      let shownPositions = min(table.shape[0], 128)
      return Panels(
        tokens: pieces, attention: StudioTensor(Array(matrix(layer, head)), [count, count]),
        headMeans: own.map { w in mean(visible.map { Double(w[w.startIndex + $0 * count + $1]) }) },
        headPeaks: own.map { mean(rows($0).map { Double($0.max()!) }) },
        entropies: weights.indices.map { layer in
          mean((0..<heads).flatMap { rows(matrix(layer, $0)).map { AttentionStep.entropy($0) } })
        },
        sparsity: weights.indices.map { layer in
          mean(
            (0..<heads).flatMap { h in
              let weights = matrix(layer, h)
              return visible.map { weights[weights.startIndex + $0 * count + $1] < 0.01 ? 1.0 : 0 }
            })
        },
        positions: StudioTensor(table[0..<shownPositions].array(), [shownPositions, table.shape[1]]),
        parameterBytes: 4 * Double(loaded.facts.parameters),
        activationBytes: 4 * Double(count * loaded.facts.width), parameters: loaded.facts.parameters)
    }
  }
}

import NablaTensor

extension AttentionStep {
  /// Every head of every layer at a glance.
  struct Heads: Encodable {
    var tokens: [String]
    /// Mean entropy of a head's rows in nats: [layers, heads].
    var entropy: StudioTensor
    /// The share of the weights that goes to the first token, to the token before, and to the token itself, a mean over
    /// rows from the third on: [layers, heads] each.
    var toFirst, toPrevious, toSelf: StudioTensor
  }

  static let heads = Computation.answer("heads") { query, studio in
    try studio.model.use { loaded in
      let (ids, pieces, _) = try read(query, loaded)
      let (layers, heads, count) = (loaded.facts.layers, loaded.facts.heads, ids.count)
      let weights = loaded.model.attentionWeights(Tensor(ids, [1, count]))
      var (entropies, first, previous, own) = ([Float](), [Float](), [Float](), [Float]())
      for layer in weights {
        let all = layer.array()
        for head in 0..<heads {
          let rows = (0..<count).map { all[(head * count + $0) * count..<(head * count + $0 + 1) * count] }
          entropies.append(Float(rows.map(entropy).reduce(0, +) / Double(count)))
          let late = rows.enumerated().dropFirst(2)
          func mean(_ key: (Int) -> Int) -> Float {
            late.isEmpty ? 0 : late.map { $1[$1.startIndex + key($0)] }.reduce(0, +) / Float(late.count)
          }
          first.append(mean { _ in 0 })
          previous.append(mean { $0 - 1 })
          own.append(mean { $0 })
        }
      }
      func map(_ values: [Float]) -> StudioTensor { StudioTensor(values, [layers, heads]) }
      return Heads(
        tokens: pieces, entropy: map(entropies), toFirst: map(first), toPrevious: map(previous), toSelf: map(own))
    }
  }
}

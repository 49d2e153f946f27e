import Glibc
import NablaTensor

extension AttentionStep {
  /// One head of one layer, number by number.
  struct Head: Encodable {
    var tokens: [String]
    /// Tokens of the text beyond those that are read.
    var cut: Int
    var queries, keys, values: StudioTensor
    /// Q Kᵀ, scaled and divided by the temperature, before the mask.
    var scores: StudioTensor
    var weights: StudioTensor
    var output: StudioTensor
    /// −Σ w ln w of each row, in nats, and the most it could be: ln of the keys that the row sees.
    var entropies: [Double]
    var largestEntropies: [Double]
    /// The largest difference from what the library's tiled kernel gives.
    var tiledDifference: Double
  }

  static let attend = Computation.answer("attend") { query, studio in
    try studio.model.use { loaded in
      let temperature = try query.number("temperature", in: 0.05...20, default: 1)
      let (isScaled, isCausal) = (
        try query.flag("scaled", default: true), try query.flag("causal", default: true)
      )
      let (_, pieces, cut) = try read(query, loaded)
      let (q, k, v, count) = try oneHead(query, loaded)
      let factor = (isScaled ? 1 / Float(loaded.facts.headSize).squareRoot() : 1) / Float(temperature)

      let scores = q.matmul(k, transposingOther: true).scaledShifted(factor, 0)
      let weights = softmax(scores.array(), isCausal ? .causal : .none, count: count)
      let output = Tensor(weights, [count, count]).matmul(v)

      let tiled = Tensor.attention(
        queries: q.oneHead, keys: k.oneHead, values: v.oneHead, mask: isCausal ? .causal : .none, scale: factor)
      let difference = zip(tiled.array(), output.array()).map { abs($0 - $1) }.max() ?? 0
      return Head(
        tokens: pieces, cut: cut, queries: .init(q), keys: .init(k), values: .init(v), scores: .init(scores),
        weights: .init(weights, [count, count]), output: .init(output),
        entropies: (0..<count).map { entropy(weights[$0 * count..<($0 + 1) * count]) },
        largestEntropies: (0..<count).map { log(Double(isCausal ? $0 + 1 : count)) },
        tiledDifference: Double(difference))
    }
  }

  enum Mask { case none, causal }

  /// exp(s − m)/Σ exp(s − m) of each row of scores [T, T], m the row's largest: the same as without m, and no exponential
  /// overflows. A masked key gets exactly 0.
  static func softmax(_ scores: [Float], _ mask: Mask, count: Int) -> [Float] {
    var weights = [Float](repeating: 0, count: scores.count)
    for i in 0..<count {
      let seen = 0..<(mask == .causal ? i + 1 : count)
      let row = seen.map { Double(scores[i * count + $0]) }
      let largest = row.max()!
      let sum = row.reduce(0) { $0 + exp($1 - largest) }
      for j in seen { weights[i * count + j] = Float(exp(row[j] - largest) / sum) }
    }
    return weights
  }

  /// −Σ w ln w, in nats.
  static func entropy(_ weights: ArraySlice<Float>) -> Double {
    weights.reduce(0) { $1 > 0 ? $0 - Double($1) * log(Double($1)) : $0 }
  }
}

extension Tensor {
  /// self [T, D] as a batch of one sequence with one head.
  fileprivate var oneHead: Tensor { reshaped([1, shape[0], 1, shape[1]]) }
}

extension StudioTensor {
  init(_ tensor: Tensor) { self.init(tensor.array(), Array(tensor.shape)) }
}

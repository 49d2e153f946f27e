import Glibc
import NablaTensor

extension AttentionStep {
  /// Flash attention as it passes over the score matrix, tile by tile.
  struct Tiled: Encodable {
    var tokens: [String]
    var tile: Int
    /// Scores of all queries and keys, masked ones −∞ (the page gets 0 for them and draws none).
    var scores: StudioTensor
    /// After each tile of keys: the running maximum and the running sum of each query's row, and how far the output is
    /// from the end.
    var passes: [Pass]
    struct Pass: Encodable {
      var firstKey: Int
      var maxima, sums: [Double]
      /// The largest difference of an output so far from the exact one.
      var difference: Double
    }
    /// Of the finished output, from the exact formula in float64 and from the library's kernel.
    var differenceFromExact, differenceFromKernel: Double
    /// Bytes for one head at contexts: the whole score matrix, and what a pass by tiles keeps (a tile of 64 queries by 64
    /// keys, their outputs, maxima and sums).
    var contexts: [Int]
    var whole, byTiles: [Double]
  }

  static let tiled = Computation.answer("tiled") { query, studio in
    try studio.model.use { loaded in
      let tile = try query.integer("tile", in: 1...48, default: 4)
      let (q, k, v, count) = try oneHead(query, loaded)
      let size = loaded.facts.headSize
      let products = q.matmul(k, transposingOther: true).scaledShifted(1 / Float(size).squareRoot(), 0).array()
      let scores = (0..<count).map { i in (0..<count).map { j in j <= i ? Double(products[i * count + j]) : -.infinity }
      }
      let values = (0..<count).map { j in v.array()[j * size..<(j + 1) * size].map(Double.init) }
      let exact = scores.map { row in weightedSum(row, values) }

      var rows = Array(repeating: OnlineSoftmax(size: size), count: count)
      var passes: [Tiled.Pass] = []
      for start in stride(from: 0, to: count, by: tile) {
        let keys = start..<min(start + tile, count)
        for i in 0..<count { rows[i].add(scores[i][keys], values[keys]) }
        passes.append(
          .init(
            firstKey: start, maxima: rows.map(\.maximum), sums: rows.map(\.sum),
            difference: largestDifference(rows.map(\.result), exact)))
      }
      let kernel = Tensor.attention(
        queries: q.reshaped([1, count, 1, size]), keys: k.reshaped([1, count, 1, size]),
        values: v.reshaped([1, count, 1, size]), mask: .causal
      ).array()
      let fromKernel = (0..<count).map { i in kernel[i * size..<(i + 1) * size].map(Double.init) }
      let contexts = (7...20).map { 1 << $0 }
      return Tiled(
        tokens: try read(query, loaded).pieces, tile: tile,
        scores: StudioTensor(scores.flatMap { $0.map { $0.isFinite ? Float($0) : 0 } }, [count, count]), passes: passes,
        differenceFromExact: largestDifference(rows.map(\.result), exact),
        differenceFromKernel: largestDifference(rows.map(\.result), fromKernel), contexts: contexts,
        whole: contexts.map { 4 * Double($0) * Double($0) },
        byTiles: contexts.map { 4 * (64 * 64 + Double($0) * Double(size + 2)) })
    }
  }

  /// Softmax of a row and the weighted sum of its values, read piece by piece: when a larger maximum turns up, what was
  /// summed so far is scaled by exp(old − new) (Milakov & Gimelshein 2018; Dao et al. 2022).
  struct OnlineSoftmax {
    var maximum = -Double.infinity
    var sum = 0.0
    var output: [Double]

    init(size: Int) { output = Array(repeating: 0, count: size) }

    mutating func add(_ scores: ArraySlice<Double>, _ values: ArraySlice<[Double]>) {
      let larger = max(maximum, scores.max() ?? -.infinity)
      guard larger > -.infinity else { return }
      let scale = exp(maximum - larger)
      sum *= scale
      for d in output.indices { output[d] *= scale }
      for (score, value) in zip(scores, values) {
        let weight = exp(score - larger)
        sum += weight
        for d in output.indices { output[d] += weight * value[d] }
      }
      maximum = larger
    }

    /// What has been read so far, as if it were all.
    var result: [Double] { sum > 0 ? output.map { $0 / sum } : output }
  }

  private static func weightedSum(_ scores: [Double], _ values: [[Double]]) -> [Double] {
    let largest = scores.max()!
    let weights = scores.map { exp($0 - largest) }
    let total = weights.reduce(0, +)
    return values[0].indices.map { d in zip(weights, values).reduce(0) { $0 + $1.0 / total * $1.1[d] } }
  }

  private static func largestDifference(_ a: [[Double]], _ b: [[Double]]) -> Double {
    zip(a, b).flatMap { zip($0, $1).map { abs($0 - $1) } }.max() ?? 0
  }
}

import Glibc
import NablaTensor

extension AttentionStep {
  /// Why scores are divided by √d.
  struct Saturation: Encodable {
    struct Point: Encodable {
      var temperature: Double
      /// Means over the rows of the head: entropy in nats, and Σ w(1 − w), how much softmax passes back of a gradient.
      var entropy, passed: Double
    }
    /// Sizes of vectors, and the measured standard deviation of the dot products of standard normal ones.
    var sizes: [Int]
    var deviations: [Double]
    /// The head's weights at temperatures relative to √d.
    var points: [Point]
    /// The temperature that leaving out √d amounts to: 1/√d.
    var unscaled: Double
    /// ln of the keys that a row sees, a mean over rows: what no temperature exceeds.
    var largestEntropy: Double
  }

  static let saturation = Computation.answer("saturation") { query, studio in
    let seed = try query.seed()
    let deviations = spreads.value(for: seed) {
      var random = RandomSource(seed: seed)
      return sizes.map { dotProductDeviation(size: $0, &random) }
    }
    return try studio.model.use { loaded in
      let (q, k, _, count) = try oneHead(query, loaded)
      let size = Double(loaded.facts.headSize)
      let products = q.matmul(k, transposingOther: true)
      let points = (-10...10).map { step in
        let temperature = pow(10, Double(step) / 8)
        let weights = softmax(
          products.scaledShifted(Float(1 / (size.squareRoot() * temperature)), 0).array(), .causal, count: count)
        let rows = (0..<count).map { weights[$0 * count..<($0 + 1) * count] }
        return Saturation.Point(
          temperature: temperature, entropy: rows.map(entropy).reduce(0, +) / Double(count),
          passed: Double(weights.reduce(0) { $0 + $1 * (1 - $1) }) / Double(count))
      }
      return Saturation(
        sizes: sizes, deviations: deviations, points: points, unscaled: 1 / size.squareRoot(),
        largestEntropy: (1...count).map { log(Double($0)) }.reduce(0, +) / Double(count))
    }
  }

  private static let sizes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
  /// By seed: another head or text has the same.
  private static let spreads = Kept<UInt64, [Double]>(most: 4)

  /// The standard deviation of 2,000 dot products of vectors whose components have mean 0 and variance 1: √size, as the
  /// variances of `size` independent products add up.
  private static func dotProductDeviation(size: Int, _ random: inout RandomSource) -> Double {
    let count = 2000
    let (a, b) = (random.normal([count, size]).array(), random.normal([count, size]).array())
    let products = (0..<count).map { i in
      (i * size..<(i + 1) * size).reduce(0.0) { $0 + Double(a[$1]) * Double(b[$1]) }
    }
    return (products.reduce(0) { $0 + $1 * $1 } / Double(count)).squareRoot()
  }
}

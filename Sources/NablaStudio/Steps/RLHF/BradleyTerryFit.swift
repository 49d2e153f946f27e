import Glibc
import NablaNN
import NablaTensor

/// A linear reward r(y) = w·φ(y) that explains choices between completions: the minimum over w of
///
///     Σ -ln σ(w·d) + λ/2·|w|²      d = φ(chosen) - φ(rejected)
///
/// where each feature is divided by its standard deviation over the completions, and all by a number that makes the d of
/// length 1 on average. The minimum is w = Σ α·d with α = σ(-w·d)/λ: each choice counts by how far it is not explained
/// yet. So the unknowns are as few as the choices, not as the features, and a few Newton steps find them.
package struct BradleyTerryFit: Sendable {
  /// λ: with it a first choice makes its own pair probable, but not certain (85 %).
  package static let ridge = 0.1

  /// w: [C].
  package let weights: [Double]
  /// Mean loss of the choices it was fitted to, nats; ln 2 for none.
  package let loss: Double

  /// - Parameters:
  ///   - chosen, rejected: the features of each choice's completions, [C] each.
  package init(chosen: [[Float]], rejected: [[Float]]) {
    let n = chosen.count
    guard n > 0 else {
      (weights, loss) = ([], log(2))
      return
    }
    let scales = Self.scales(chosen + rejected)
    var differences = zip(chosen, rejected).map { yes, no in
      scales.indices.map { (Double(yes[$0]) - Double(no[$0])) * scales[$0] }
    }
    let meanSquare = differences.reduce(0) { $0 + dot($1, $1) } / Double(n)
    // Completions that the model cannot tell apart have no direction.
    let scale = meanSquare > 0 ? 1 / meanSquare.squareRoot() : 0
    for i in 0..<n { for c in scales.indices { differences[i][c] *= scale } }
    let gram = differences.map { row in differences.map { dot(row, $0) } }

    var alpha = [Double](repeating: 0, count: n)
    for _ in 0..<50 {
      let margins = gram.map { dot($0, alpha) }
      let slopes = Self.loss(margins).slopes
      // Newton: (W·K + λ)·δ = -(slope + λα), where W is the curvature p·(1 - p).
      var matrix = gram
      for i in 0..<n {
        let curvature = -slopes[i] * (1 + slopes[i])
        for j in 0..<n { matrix[i][j] = curvature * gram[i][j] + (i == j ? Self.ridge : 0) }
      }
      let step = solve(matrix, (0..<n).map { -(slopes[$0] + Self.ridge * alpha[$0]) })
      for i in 0..<n { alpha[i] += step[i] }
      if step.allSatisfy({ abs($0) < 1e-6 }) { break }
    }
    loss = Self.loss(gram.map { dot($0, alpha) }).mean
    // Of the features as they are.
    weights = scales.indices.map { c in
      scale * scales[c] * (0..<n).reduce(0) { $0 + alpha[$1] * differences[$1][c] }
    }
  }

  /// The reward of a completion with these features, up to a constant that pairs do not determine.
  package func reward(_ features: [Float]) -> Double {
    zip(weights, features).reduce(0) { $0 + $1.0 * Double($1.1) }
  }

  /// 1/standard deviation of each feature; 0 for one that is always the same.
  private static func scales(_ features: [[Float]]) -> [Double] {
    features[0].indices.map { c in
      let mean = features.reduce(0) { $0 + Double($1[c]) } / Double(features.count)
      let variance =
        features.reduce(0) { $0 + (Double($1[c]) - mean) * (Double($1[c]) - mean) } / Double(features.count)
      return variance > 0 ? 1 / variance.squareRoot() : 0
    }
  }

  /// The library's loss of these margins, and its slope at each.
  private static func loss(_ margins: [Double]) -> (mean: Double, slopes: [Double]) {
    let margins = Tensor(margins.map(Float.init))
    let (sum, slopes) = valueAndGradient(at: [margins]) {
      bradleyTerryLoss(chosen: $0[0], rejected: .zeros($0[0].shape)).sum()
    }
    return (Double(sum.item()) / Double(margins.count), slopes[0].array(of: Double.self))
  }
}

private func dot(_ a: [Double], _ b: [Double]) -> Double {
  var sum = 0.0
  for i in a.indices { sum += a[i] * b[i] }
  return sum
}

/// x of A·x = b, by elimination with row pivots.
private func solve(_ matrix: [[Double]], _ right: [Double]) -> [Double] {
  var (a, b) = (matrix, right)
  let n = b.count
  for column in 0..<n {
    let pivot = (column..<n).max { abs(a[$0][column]) < abs(a[$1][column]) }!
    a.swapAt(column, pivot)
    b.swapAt(column, pivot)
    for row in column + 1..<max(n, column + 1) {
      let factor = a[row][column] / a[column][column]
      for j in column..<n { a[row][j] -= factor * a[column][j] }
      b[row] -= factor * b[column]
    }
  }
  for row in (0..<n).reversed() {
    for j in row + 1..<max(n, row + 1) { b[row] -= a[row][j] * b[j] }
    b[row] /= a[row][row]
  }
  return b
}

import CNablaKernels
import Glibc

/// The objective of the parametric fit (Hoffmann et al. 2022, equation 3), over points i with weights w:
///
///     Σ w_i Huber_δ( LSE(a - α ln N_i, b - β ln D_i, e) - ln L_i ),   A = eᵃ, B = eᵇ, E = eᵉ
///
/// LSE is the logarithm of a sum of exponentials, Huber_δ(r) = r²/2 up to |r| = δ and δ(|r| - δ/2) beyond: an outlier
/// counts by its distance, not by its square.
///
/// It is a sum. A mean over points would be the same function scaled down, but an optimizer with a fixed gradient
/// tolerance then stops early: that explains the error in the published constants (Besiroglu et al. 2024).
package struct ChinchillaObjective: Sendable {
  /// Where the Huber loss changes from squares to absolute values.
  static let delta = 1e-3

  /// ln N and ln D, shifted and scaled to mean 0 and standard deviation 1. In these units a and α are nearly
  /// uncorrelated, as an optimizer needs: a' = a - α·mean, α' = α·deviation.
  private let sizes: [Double]
  private let lengths: [Double]
  private let losses: [Double]
  private let weights: [Double]
  private let size: Scale
  private let length: Scale

  private struct Scale {
    var mean: Double
    var deviation: Double
    /// Of the scaled values.
    var range: ClosedRange<Double>

    init(_ values: [Double]) {
      let count = Double(values.count)
      let mean = values.reduce(0, +) / count
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
      let deviation = variance > 0 ? variance.squareRoot() : 1
      self.mean = mean
      self.deviation = deviation
      range = (values.min()! - mean) / deviation...(values.max()! - mean) / deviation
    }

    package func callAsFunction(_ value: Double) -> Double { (value - mean) / deviation }
  }

  /// - Parameter points: At least one; all numbers positive.
  package init(_ points: [ScalingPoint]) {
    let (n, d) = (points.map { log($0.parameters) }, points.map { log($0.tokens) })
    (size, length) = (Scale(n), Scale(d))
    sizes = n.map { [size] in size($0) }
    lengths = d.map { [length] in length($0) }
    losses = points.map { log($0.loss) }
    weights = [Double](repeating: 1, count: points.count)
  }

  /// The same points, with the given counts.
  func weighted(_ counts: [Double]) -> ChinchillaObjective { ChinchillaObjective(self, weights: counts) }

  private init(_ other: ChinchillaObjective, weights counts: [Double]) {
    precondition(counts.count == other.sizes.count, "ChinchillaObjective: \(counts.count) weights")
    (sizes, lengths, losses, size, length) = (other.sizes, other.lengths, other.losses, other.size, other.length)
    weights = counts
  }

  // MARK: Coordinates

  /// [a', α', b', β', e] of a law.
  package func coordinates(a: Double, b: Double, e: Double, alpha: Double, beta: Double) -> [Double] {
    [a - alpha * size.mean, alpha * size.deviation, b - beta * length.mean, beta * length.deviation, e]
  }

  func coordinates(_ law: Chinchilla) -> [Double] {
    coordinates(a: log(law.A), b: log(law.B), e: log(law.E), alpha: law.alpha, beta: law.beta)
  }

  func law(_ x: [Double]) -> Chinchilla {
    let (alpha, beta) = (x[1] / size.deviation, x[3] / length.deviation)
    return Chinchilla(
      E: exp(x[4]), A: exp(x[0] + alpha * size.mean), B: exp(x[2] + beta * length.mean), alpha: alpha, beta: beta)
  }

  // MARK: Value

  /// The sum at coordinates `x`, with its gradient: what the kernel computes several points at a time. In Swift, for
  /// one point of u = scaled ln N and v = scaled ln D,
  ///
  ///     let (p, q, E) = (exp(x[0] - x[1] * u), exp(x[2] - x[3] * v), exp(x[4]))
  ///     let residual = log(p + q + E) - log(L)
  ///     let clipped = min(max(residual, -δ), δ)
  ///     value += w * clipped * (residual - clipped / 2)
  ///     gradient += w * clipped / (p + q + E) * [p, -p * u, q, -q * v, E]
  package func callAsFunction(_ x: [Double], _ gradient: inout [Double]) -> Double {
    precondition(x.count == 5 && gradient.count == 5, "ChinchillaObjective: five coordinates")
    // Safe: the arrays have `count` elements each and live through the call.
    return sizes.withUnsafeBufferPointer { u in
      lengths.withUnsafeBufferPointer { v in
        losses.withUnsafeBufferPointer { l in
          weights.withUnsafeBufferPointer { w in
            var points = nabla_law_points(
              count: Int64(u.count), sizes: u.baseAddress, lengths: v.baseAddress, losses: l.baseAddress,
              weights: w.baseAddress)
            return nabla_law_objective(&points, x, Self.delta, isWithinRange(x) ? 0 : 1, &gradient)
          }
        }
      }
    }
  }

  /// Σ J Jᵀ of the residuals' gradients J, row by row: proportional to the Hessian where residuals are small.
  func normalMatrix(at x: [Double]) -> [Double] {
    var matrix = [Double](repeating: 0, count: 25)
    for i in sizes.indices {
      let (p, q, e) = (exp(x[0] - x[1] * sizes[i]), exp(x[2] - x[3] * lengths[i]), exp(x[4]))
      let j = [p, -p * sizes[i], q, -q * lengths[i], e].map { $0 / (p + q + e) }
      for a in 0..<5 { for b in 0..<5 { matrix[a * 5 + b] += j[a] * j[b] } }
    }
    return matrix
  }

  /// Whether no exponential overflows and their sum does not underflow.
  private func isWithinRange(_ x: [Double]) -> Bool {
    func fits(_ offset: Double, _ slope: Double, _ range: ClosedRange<Double>) -> Bool {
      abs(offset - slope * range.lowerBound) < 690 && abs(offset - slope * range.upperBound) < 690
    }
    return abs(x[4]) < 690 && fits(x[0], x[1], size.range) && fits(x[2], x[3], length.range)
  }
}

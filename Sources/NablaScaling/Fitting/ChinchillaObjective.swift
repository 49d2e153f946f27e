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
  private let sizes: [Vector]
  private let lengths: [Vector]
  private let losses: [Vector]
  private let weights: [Vector]
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
    // The last vector is padded with copies of weight 0.
    let padded = (0..<(points.count + 3) / 4 * 4).map { min($0, points.count - 1) }
    sizes = Self.vectors(padded.map { [size] in size(n[$0]) })
    lengths = Self.vectors(padded.map { [length] in length(d[$0]) })
    losses = Self.vectors(padded.map { log(points[$0].loss) })
    weights = Self.vectors((0..<padded.count).map { $0 < points.count ? 1 : 0 })
  }

  /// The same points, with the given counts.
  func weighted(_ counts: [Double]) -> ChinchillaObjective { ChinchillaObjective(self, weights: counts) }

  private init(_ other: ChinchillaObjective, weights counts: [Double]) {
    (sizes, lengths, losses, size, length) = (other.sizes, other.lengths, other.losses, other.size, other.length)
    weights = Self.vectors(counts + [Double](repeating: 0, count: 4 * other.sizes.count - counts.count))
  }

  private static func vectors(_ values: [Double]) -> [Vector] {
    stride(from: 0, to: values.count, by: 4).map {
      Vector(values[$0], values[$0 + 1], values[$0 + 2], values[$0 + 3])
    }
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

  /// The sum at coordinates `x`, with its gradient.
  package func callAsFunction(_ x: [Double], _ gradient: inout [Double]) -> Double {
    guard isWithinRange(x) else { return stable(x, &gradient) }
    let delta = Vector(repeating: Self.delta)
    let irreducible = exp(x[4])
    var (value, ga, gAlpha, gb, gBeta, ge) = (
      Vector.zero, Vector.zero, Vector.zero, Vector.zero, Vector.zero, Vector.zero
    )
    for i in sizes.indices {
      let (u, v) = (sizes[i], lengths[i])
      let p = exponential(x[0] - x[1] * u)
      let q = exponential(x[2] - x[3] * v)
      let sum = p + q + irreducible
      let residual = logarithm(sum) - losses[i]
      let clipped = residual.clamped(lowerBound: -delta, upperBound: delta)
      let weighted = weights[i] * clipped
      value += weighted * (residual - 0.5 * clipped)
      let share = weighted / sum
      let (sa, sb) = (share * p, share * q)
      ga += sa
      gAlpha -= sa * u
      gb += sb
      gBeta -= sb * v
      ge += share
    }
    gradient[0] = ga.sum()
    gradient[1] = gAlpha.sum()
    gradient[2] = gb.sum()
    gradient[3] = gBeta.sum()
    gradient[4] = ge.sum() * irreducible
    return value.sum()
  }

  /// Whether no exponential overflows and their sum does not underflow.
  private func isWithinRange(_ x: [Double]) -> Bool {
    func fits(_ offset: Double, _ slope: Double, _ range: ClosedRange<Double>) -> Bool {
      abs(offset - slope * range.lowerBound) < 690 && abs(offset - slope * range.upperBound) < 690
    }
    return abs(x[4]) < 690 && fits(x[0], x[1], size.range) && fits(x[2], x[3], length.range)
  }

  /// The same with the largest exponent factored out of the sum: for the extreme points that a line search tries.
  private func stable(_ x: [Double], _ gradient: inout [Double]) -> Double {
    var value = 0.0
    for i in gradient.indices { gradient[i] = 0 }
    for i in sizes.indices {
      for lane in 0..<4 where weights[i][lane] > 0 {
        let (u, v) = (sizes[i][lane], lengths[i][lane])
        let exponents = (x[0] - x[1] * u, x[2] - x[3] * v, x[4])
        let largest = max(exponents.0, exponents.1, exponents.2)
        let parts = (exp(exponents.0 - largest), exp(exponents.1 - largest), exp(exponents.2 - largest))
        let sum = parts.0 + parts.1 + parts.2
        let residual = largest + log(sum) - losses[i][lane]
        let clipped = min(max(residual, -Self.delta), Self.delta)
        value += weights[i][lane] * clipped * (residual - 0.5 * clipped)
        let share = weights[i][lane] * clipped / sum
        gradient[0] += share * parts.0
        gradient[1] -= share * parts.0 * u
        gradient[2] += share * parts.1
        gradient[3] -= share * parts.1 * v
        gradient[4] += share * parts.2
      }
    }
    return value
  }
}

extension SIMD4<Double> {
  /// Always in this order, so that the bits are always the same.
  @inline(__always)
  fileprivate func sum() -> Double { (self[0] + self[1]) + (self[2] + self[3]) }
}

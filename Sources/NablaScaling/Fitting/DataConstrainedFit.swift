import Glibc
import NablaTensor

/// A fit of the two decay constants of ``DataConstrained`` to runs that repeat their data, given the base law, as
/// in Muennighoff et al. (2023, section 6).
public struct DataConstrainedFit: Sendable {
  public let law: DataConstrained
  /// The sum of Huber losses of log loss.
  public let objective: Double
  public let laws: [DataConstrained]
  /// The runs with a number of unique tokens.
  public let points: [ScalingPoint]

  /// - Parameters:
  ///   - points: Runs with their unique tokens.
  ///   - base: The law of data that are not repeated.
  ///   - samples: Refits of samples of the points, for intervals.
  ///   - seed: Of the samples.
  /// - Throws: ``PointError`` when fewer than three runs repeat tokens.
  public init(
    _ points: [ScalingPoint], base: Chinchilla, samples: Int = 200, seed: UInt64 = 1
  ) throws(PointError) {
    let known = points.filter { $0.uniqueTokens != nil }
    if known.isEmpty { throw PointError(.noUniqueTokens) }
    let repeated = known.filter { $0.tokens > 1.01 * $0.uniqueTokens! }.count
    if repeated < 3 {
      throw PointError(.tooFew(found: repeated, needed: 3, purpose: "the law of repeated data (runs that repeat it)"))
    }
    self.points = known
    let starts = [1.0, 5, 15, 50].flatMap { d in [1.0, 5, 15, 50].map { [log(d), log($0)] } }
    let all = DataConstrainedObjective(known, base: base)
    let search = LBFGS()
    let best = parallelMap(starts) { search.minimize(from: $0, all.callAsFunction) }.min { $0.value < $1.value }!
    law = DataConstrained(base: base, tokenDecay: exp(best.point[0]), parameterDecay: exp(best.point[1]))
    objective = best.value
    var random = RandomSource(seed: seed)
    let draws = (0..<samples).map { _ in known.map { _ in known[Int.random(in: 0..<known.count, using: &random)] } }
    laws = parallelMap(draws) { draw in
      let point = search.minimize(from: best.point, DataConstrainedObjective(draw, base: base).callAsFunction).point
      return DataConstrained(base: base, tokenDecay: exp(point[0]), parameterDecay: exp(point[1]))
    }
  }

  public func interval(level: Double = 0.95, _ quantity: (DataConstrained) -> Double) -> ClosedRange<Double> {
    percentileInterval(laws.map(quantity), level: level)
  }
}

/// Σ Huber_δ(ln L(N', D') - ln L_i) over the logarithms of R_D* and R_N*.
package struct DataConstrainedObjective: Sendable {
  private let points: [ScalingPoint]
  private let base: Chinchilla
  private let optimal: [Double]

  package init(_ points: [ScalingPoint], base: Chinchilla) {
    (self.points, self.base) = (points, base)
    optimal = points.map { point in
      let unique = min(point.tokens, point.uniqueTokens ?? point.tokens)
      return min(point.parameters, base.optimalAllocation(compute: base.optimalCompute(tokens: unique)).parameters)
    }
  }

  package func callAsFunction(_ x: [Double], _ gradient: inout [Double]) -> Double {
    let delta = ChinchillaObjective.delta
    // Beyond these a constant has no effect; the search must not diverge.
    guard x.allSatisfy({ abs($0) < 30 }) else { return .infinity }
    let (tokenDecay, parameterDecay) = (exp(x[0]), exp(x[1]))
    var value = 0.0
    (gradient[0], gradient[1]) = (0, 0)
    for (point, unique) in zip(points, optimal) {
      let uniqueTokens = min(point.tokens, point.uniqueTokens ?? point.tokens)
      let (d, dSlope) = Self.effective(point.tokens, unique: uniqueTokens, decay: tokenDecay)
      let (n, nSlope) = Self.effective(point.parameters, unique: unique, decay: parameterDecay)
      let loss = base.loss(parameters: n, tokens: d)
      let residual = log(loss / point.loss)
      let clipped = min(max(residual, -delta), delta)
      value += clipped * (residual - 0.5 * clipped)
      gradient[0] -= clipped / loss * base.beta * base.B * pow(d, -base.beta - 1) * dSlope * tokenDecay
      gradient[1] -= clipped / loss * base.alpha * base.A * pow(n, -base.alpha - 1) * nSlope * parameterDecay
    }
    return value
  }

  /// The effective count, and its derivative by the decay constant.
  private static func effective(_ total: Double, unique: Double, decay: Double) -> (Double, Double) {
    let q = (total / unique - 1) / decay
    let grown = -expm1(-q)
    return (unique + unique * decay * grown, unique * (grown - q * exp(-q)))
  }
}

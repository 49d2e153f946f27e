import Glibc

/// Whether points could have come from a law with given constants: the likelihood-ratio test (Wilks 1938).
///
/// The fit minimizes Σ Huber_δ(r), so it is the maximum-likelihood law when a residual r has the density
/// exp(-Huber_δ(r) / s) / Z(s), for any scale s. Twice the difference of log-likelihoods between the fit and the given
/// law, each with its own best s, is then about χ² with as many degrees of freedom as there are constants: 5.
public struct LawComparison: Sendable {
  /// Twice the difference of log likelihoods.
  public var statistic: Double
  /// log₁₀ of the p-value under the given law.
  public var log10PValue: Double
  /// The mean of |ln L - ln L̂| under the given law.
  public var meanDeviation: Double
}

extension ChinchillaFit {
  /// Compares the fit with a law with given constants.
  public func compared(with law: Chinchilla) -> LawComparison {
    let deviations = points.map { log($0.loss / law.loss(parameters: $0.parameters, tokens: $0.tokens)) }
    let sum = deviations.reduce(0) { $0 + huber($1) }
    let statistic = max(
      0, 2 * (Self.logLikelihood(objective, count: points.count) - Self.logLikelihood(sum, count: points.count)))
    return LawComparison(
      statistic: statistic, log10PValue: logChiSquareTail(statistic, degrees: 5) / log(10),
      meanDeviation: deviations.reduce(0) { $0 + abs($1) } / Double(points.count))
  }

  private func huber(_ residual: Double) -> Double {
    let delta = ChinchillaObjective.delta
    let clipped = min(max(residual, -delta), delta)
    return clipped * (residual - 0.5 * clipped)
  }

  /// The log likelihood of `count` residuals with this sum of Huber losses, at the best scale.
  private static func logLikelihood(_ sum: Double, count: Int) -> Double {
    let delta = ChinchillaObjective.delta
    func negative(_ logScale: Double) -> Double {
      let s = exp(logScale)
      // ∫ exp(-Huber(r)/s) dr: a Gaussian middle and exponential sides.
      let z =
        (2 * Double.pi * s).squareRoot() * erf(delta / (2 * s).squareRoot()) + 2 * s / delta
        * exp(-delta * delta / (2 * s))
      return sum / s + Double(count) * log(z)
    }
    return -negative(goldenSectionMinimum(in: log(1e-30)...log(1e3), negative))
  }
}

import Glibc

/// The variance-preserving process, the continuous-time limit of DDPM (Song et al. 2021, equation 11):
///
///     dx = -½β(t)x dt + √β(t) dw        β(t) = β_min + t·(β_max - β_min)
///     α(t) = exp(-½∫β) = exp(-¼t²(β_max - β_min) - ½t·β_min)        σ² = 1 - α²
public struct VariancePreserving: GaussianProcess, Hashable {
  public var betaMin: Double
  public var betaMax: Double
  /// Scores are unbounded as t goes to 0; training and sampling stop at this time.
  public var cleanTime: Double

  public init(betaMin: Double = 0.1, betaMax: Double = 20, cleanTime: Double = 1e-3) {
    (self.betaMin, self.betaMax, self.cleanTime) = (betaMin, betaMax, cleanTime)
  }

  public var noisyTime: Double { 1 }
  public func beta(at t: Double) -> Double { betaMin + t * (betaMax - betaMin) }

  /// ∫β from 0 to t.
  private func integral(_ t: Double) -> Double { t * betaMin + t * t * (betaMax - betaMin) / 2 }

  public func level(at t: Double) -> NoiseLevel {
    // 1 - e⁻ˣ keeps its digits for small x by expm1.
    NoiseLevel(alpha: exp(-integral(t) / 2), sigma: (-expm1(-integral(t))).squareRoot())
  }

  public func rate(at t: Double) -> NoiseLevel {
    let level = level(at: t)
    return NoiseLevel(
      alpha: -beta(at: t) / 2 * level.alpha, sigma: beta(at: t) * level.alpha * level.alpha / (2 * level.sigma))
  }

  /// ln(1 + (σ/α)²) = ∫β, solved for t.
  public func time(noiseRatio: Double) -> Double {
    let (slope, target) = (betaMax - betaMin, log1p(noiseRatio * noiseRatio))
    if slope == 0 { return target / betaMin }
    return ((betaMin * betaMin + 2 * slope * target).squareRoot() - betaMin) / slope
  }
}

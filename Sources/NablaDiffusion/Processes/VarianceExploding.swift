import Glibc

/// The variance-exploding process, score matching with Langevin dynamics made continuous (Song et al. 2021,
/// equation 9): the data are not scaled, and the noise grows geometrically.
///
///     α = 1        σ(t) = σ_min · (σ_max/σ_min)ᵗ        g² = 2σ² ln(σ_max/σ_min)
public struct VarianceExploding: GaussianProcess, Hashable {
  public var sigmaMin: Double
  /// As large as the largest distance between data points, so that the data are indistinguishable.
  public var sigmaMax: Double

  public init(sigmaMin: Double = 0.01, sigmaMax: Double = 50) {
    precondition(0 < sigmaMin && sigmaMin < sigmaMax, "VarianceExploding: σ from \(sigmaMin) to \(sigmaMax)")
    (self.sigmaMin, self.sigmaMax) = (sigmaMin, sigmaMax)
  }

  public var cleanTime: Double { 0 }
  public var noisyTime: Double { 1 }

  public func level(at t: Double) -> NoiseLevel { NoiseLevel(alpha: 1, sigma: sigmaMin * pow(sigmaMax / sigmaMin, t)) }

  public func rate(at t: Double) -> NoiseLevel {
    NoiseLevel(alpha: 0, sigma: level(at: t).sigma * log(sigmaMax / sigmaMin))
  }

  public func time(noiseRatio: Double) -> Double { log(noiseRatio / sigmaMin) / log(sigmaMax / sigmaMin) }
}

/// The signal and noise levels of a noisy sample: x = α·x₀ + σ·ε, with x₀ from the data and ε ~ N(0, 1).
///
/// Every process here, discrete or continuous, is a path of these pairs from (1, 0) to (almost) (0, σ_max).
public struct NoiseLevel: Sendable, Hashable {
  /// α: the factor on the data.
  public var alpha: Double
  /// σ: the standard deviation of the noise.
  public var sigma: Double

  public init(alpha: Double, sigma: Double) { (self.alpha, self.sigma) = (alpha, sigma) }

  /// A level of a variance-preserving process, from ᾱ = α²: σ² = 1 - ᾱ.
  public init(alphaBar: Double) { self.init(alpha: alphaBar.squareRoot(), sigma: (1 - alphaBar).squareRoot()) }

  /// A level of a variance-preserving process with σ/α given.
  public init(noiseRatio: Double) {
    let alpha = 1 / (1 + noiseRatio * noiseRatio).squareRoot()
    self.init(alpha: alpha, sigma: noiseRatio * alpha)
  }

  /// No noise.
  public static let clean = NoiseLevel(alpha: 1, sigma: 0)

  /// σ/α, the standard deviation of the noise in x/α. Infinite if no signal remains.
  public var noiseRatio: Double { sigma / alpha }
  /// α²/σ².
  public var signalToNoise: Double { alpha * alpha / (sigma * sigma) }
}

/// A step on the path from noise to data: the noise level, and the time as input to the network.
public struct NoiseStep: Sendable, Hashable {
  public var time: Double
  public var level: NoiseLevel

  public init(time: Double, level: NoiseLevel) { (self.time, self.level) = (time, level) }
}

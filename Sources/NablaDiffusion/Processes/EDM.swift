import Glibc

/// The process of Karras et al. 2022, "Elucidating the design space of diffusion-based generative models": the data are
/// not scaled, and the time is the noise level. α = 1, σ(t) = t.
public struct EDM: GaussianProcess, Hashable {
  public var sigmaMin: Double
  public var sigmaMax: Double
  /// The standard deviation of the data.
  public var dataDeviation: Double
  /// ln σ is drawn from N(mean, deviation²) in training.
  public var logSigmaMean: Double
  public var logSigmaDeviation: Double

  public init(
    sigmaMin: Double = 0.002, sigmaMax: Double = 80, dataDeviation: Double = 0.5, logSigmaMean: Double = -1.2,
    logSigmaDeviation: Double = 1.2
  ) {
    precondition(0 < sigmaMin && sigmaMin < sigmaMax, "EDM: σ from \(sigmaMin) to \(sigmaMax)")
    precondition(dataDeviation > 0, "EDM: a standard deviation of \(dataDeviation)")
    (self.sigmaMin, self.sigmaMax, self.dataDeviation) = (sigmaMin, sigmaMax, dataDeviation)
    (self.logSigmaMean, self.logSigmaDeviation) = (logSigmaMean, logSigmaDeviation)
  }

  public var cleanTime: Double { sigmaMin }
  public var noisyTime: Double { sigmaMax }
  public func level(at t: Double) -> NoiseLevel { NoiseLevel(alpha: 1, sigma: t) }
  public func rate(at t: Double) -> NoiseLevel { NoiseLevel(alpha: 0, sigma: 1) }
  public func time(noiseRatio: Double) -> Double { noiseRatio }

  /// The preconditioning of a network F as a denoiser at noise level σ (table 1):
  ///
  ///     D(x; σ) = c_skip·x + c_out·F(c_in·x; c_noise)
  ///
  /// so that F's input and its target have variance 1 at every σ, and F's errors are amplified as little as possible.
  public func preconditioning(at sigma: Double) -> Preconditioning {
    let (s2, d2) = (sigma * sigma, dataDeviation * dataDeviation)
    return Preconditioning(
      skip: d2 / (s2 + d2), out: sigma * dataDeviation / (s2 + d2).squareRoot(), input: 1 / (s2 + d2).squareRoot(),
      noise: log(sigma) / 4)
  }

  public struct Preconditioning: Sendable, Hashable {
    public var skip: Double
    public var out: Double
    public var input: Double
    public var noise: Double
  }
}

/// The weight of the squared error at each noise level.
public enum LossWeighting: Sendable, Hashable, Codable {
  /// 1, whatever is predicted: "L simple" (Ho et al. 2020, equation 14) where that is the noise.
  case simple
  /// min(SNR, γ) on the error of the data (Hang et al. 2023, "Efficient diffusion training via min-SNR weighting
  /// strategy"), whatever is predicted: min(SNR, γ)/SNR on that of ε and min(SNR, γ)/(SNR + 1) on that of v.
  case minSNR(gamma: Double = 5)
  /// 1/σ² + 1/σ_data² on the error of the data, σ being that of x/α (Karras et al. 2022, table 1).
  case edm(dataDeviation: Double)

  /// The factor on the mean squared error of `prediction`.
  public func weight(at level: NoiseLevel, predicting prediction: Prediction) -> Double {
    switch self {
    case .simple: return 1
    case .minSNR(let gamma):
      precondition(
        level.alpha > 0 || prediction != .noise, "min-SNR weights of ε at a signal of 0 (zero terminal SNR): predict v")
      return min(level.signalToNoise, gamma) * prediction.squaredDataScale(at: level)
    case .edm(let deviation):
      let ratio = level.noiseRatio
      return (1 / (ratio * ratio) + 1 / (deviation * deviation)) * prediction.squaredDataScale(at: level)
    }
  }
}

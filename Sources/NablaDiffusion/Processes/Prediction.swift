import NablaTensor

/// What a network predicts for a noisy sample x = α·x₀ + σ·ε. Each follows exactly from each other, given x and the
/// level.
public enum Prediction: String, Sendable, Codable, CaseIterable {
  /// ε, the noise (Ho et al. 2020).
  case noise
  /// x₀, the data.
  case data
  /// v = α·ε - σ·x₀ (Salimans & Ho 2022, "Progressive distillation").
  case v
  /// x₀ - ε, the velocity of the straight line from noise to data.
  case velocity
  /// ∇ₓ ln p(x) = -ε/σ.
  case score
}

extension Prediction {
  /// The target of the prediction, from data and noise. All tensors [B, ...]; levels: one of each row.
  public func target(data: Tensor, noise: Tensor, levels: [NoiseLevel]) -> Tensor {
    let alpha = perRow(levels.map(\.alpha), like: data)
    let sigma = perRow(levels.map(\.sigma), like: data)
    return switch self {
    case .noise: noise
    case .data: data
    case .v: alpha * noise - sigma * data
    case .velocity: data - noise
    case .score: -noise / sigma
    }
  }

  /// The data and noise that a prediction at one level implies. x, output: [B, ...].
  public func estimate(_ output: Tensor, x: Tensor, level: NoiseLevel) -> Estimate {
    let (a, s) = (level.alpha, level.sigma)
    switch self {
    case .noise:
      precondition(
        a > 0, "the noise carries no information about the data where the signal is 0 (zero terminal SNR): predict v")
      return Estimate(data: (1 / a) * x - (s / a) * output, noise: output)
    case .data:
      precondition(s > 0, "there is no noise to estimate at σ = 0")
      return Estimate(data: output, noise: (1 / s) * x - (a / s) * output)
    case .v:
      let n = a * a + s * s  // 1 where variance is preserved
      return Estimate(data: (a / n) * x - (s / n) * output, noise: (s / n) * x + (a / n) * output)
    case .velocity:
      let n = a + s  // 1 on the straight line
      return Estimate(data: (1 / n) * x + (s / n) * output, noise: (1 / n) * x - (a / n) * output)
    case .score:
      precondition(
        a > 0, "the score carries no information about the data where the signal is 0 (zero terminal SNR): predict v")
      return Estimate(data: (1 / a) * x + (s * s / a) * output, noise: -s * output)
    }
  }

  /// (d x̂₀ / d prediction)²: converts a squared error of the prediction to one of the data.
  public func squaredDataScale(at level: NoiseLevel) -> Double {
    let (a, s) = (level.alpha, level.sigma)
    func square(_ x: Double) -> Double { x * x }
    return switch self {
    case .noise: square(s / a)
    case .data: 1
    case .v: square(s / (a * a + s * s))
    case .velocity: square(s / (a + s))
    case .score: square(s * s / a)
    }
  }
}

/// The estimated components of a noisy sample: x = α·data + σ·noise.
public struct Estimate: Sendable {
  public var data: Tensor
  public var noise: Tensor
  /// A learned variance's interpolation between the smallest and the largest, in -1 … 1; see ``ReverseVariance``.
  public var varianceFraction: Tensor?

  public init(data: Tensor, noise: Tensor) { (self.data, self.noise) = (data, noise) }
}

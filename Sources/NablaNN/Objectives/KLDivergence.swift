import NablaTensor

/// Estimates of KL(π ‖ π_ref) from tokens that π sampled (Schulman 2020), with d = ln π(token) - ln π_ref(token).
///
/// The mean of each over samples is the divergence (k2's nearly). Its gradient is another matter: as a term of a loss,
/// k1's is 0 on average, k2's is that of the divergence, and k3's is that of KL(π_ref ‖ π).
public enum KLEstimator: String, Sendable, Codable, CaseIterable {
  /// d: unbiased; negative for some tokens.
  case k1
  /// d²/2: biased, low variance.
  case k2
  /// e⁻ᵈ - 1 + d: unbiased and never negative; GRPO's.
  case k3

  /// The estimate of each token, of the logarithms' shape.
  public func callAsFunction(_ logProbabilities: Tensor, reference: Tensor) -> Tensor {
    let d = logProbabilities - reference.stopGradient()
    return switch self {
    case .k1: d
    case .k2: 0.5 * d.square()
    case .k3: (-d).exp() - 1 + d
    }
  }
}

/// A coefficient of the KL penalty that follows a target (Ziegler et al. 2019): it grows while the divergence is above
/// the target and falls while it is below, by the relative error, limited to a fifth, over the horizon.
public struct AdaptiveKLCoefficient: Sendable, Codable, Equatable {
  public private(set) var value: Double
  /// Nats per sequence.
  public let target: Double
  /// Episodes.
  public let horizon: Double

  public init(initial: Double, target: Double, horizon: Double = 10_000) {
    precondition(target > 0 && horizon > 0, "AdaptiveKLCoefficient: target \(target), horizon \(horizon)")
    (value, self.target, self.horizon) = (initial, target, horizon)
  }

  /// After `episodes` episodes whose mean divergence was `divergence`.
  public mutating func update(divergence: Double, episodes: Int) {
    let error = min(max(divergence / target - 1, -0.2), 0.2)
    value *= 1 + error * Double(episodes) / horizon
  }
}

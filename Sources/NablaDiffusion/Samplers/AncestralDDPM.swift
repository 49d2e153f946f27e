import Glibc
import NablaTensor

/// The variance of the reverse steps of DDPM.
public enum ReverseVariance: String, Sendable, Codable, CaseIterable {
  /// That of the posterior q(x_s | x_t, x₀): optimal if the data were a single point. "fixed_small".
  case fixedSmall
  /// That of the forward step q(x_t | x_s): optimal if the data were white noise. "fixed_large".
  case fixedLarge
  /// Between the two, its logarithm interpolated by a fraction that the network predicts (Nichol & Dhariwal 2021,
  /// equation 15).
  case learnedRange
}

/// Ancestral sampling (Ho et al. 2020, algorithm 2): each step samples from the posterior, with the estimated data
/// in place of the true data.
///
///     x_s = (α_ts σ_s²/σ_t²)·x_t + (α_s σ_ts²/σ_t²)·x̂₀ + √variance·z        α_ts = α_t/α_s, σ_ts² = σ_t² - α_ts²σ_s²
///
/// (Kingma et al. 2021, equation 31, which holds for any two levels s < t, neighbors or not.)
public struct AncestralDDPM: Sampler {
  public var variance: ReverseVariance

  public init(variance: ReverseVariance = .fixedSmall) { self.variance = variance }

  public func sample(
    _ x: Tensor, _ denoiser: Denoiser, along steps: [NoiseStep], random: inout RandomSource, observe: SamplingObserver
  ) -> Tensor {
    var x = x
    let intervals = intervals(steps)
    for (i, interval) in intervals.enumerated() {
      let estimate = denoiser(x, at: interval.from)
      let noise = i == intervals.count - 1 ? nil : random.normal(x.shape)  // the last step shows its mean
      x = step(x, estimate, from: interval.from.level, to: interval.to.level, noise: noise)
      observe(i, x, estimate.data)
    }
    return x
  }

  /// One step from level t to level s. noise: standard normal, like x; nil for the mean.
  public func step(_ x: Tensor, _ estimate: Estimate, from t: NoiseLevel, to s: NoiseLevel, noise: Tensor?) -> Tensor {
    let ratio = t.alpha / s.alpha
    let forward = t.sigma * t.sigma - ratio * ratio * s.sigma * s.sigma  // σ_ts²
    let posterior = forward * s.sigma * s.sigma / (t.sigma * t.sigma)
    let mean =
      (ratio * s.sigma * s.sigma / (t.sigma * t.sigma)) * x
      + (s.alpha * forward / (t.sigma * t.sigma)) * estimate.data
    guard let noise else { return mean }
    switch variance {
    case .fixedSmall: return mean + posterior.squareRoot() * noise
    case .fixedLarge: return mean + forward.squareRoot() * noise
    case .learnedRange:
      guard let fraction = estimate.varianceFraction else {
        preconditionFailure("AncestralDDPM: a learned variance requires a network with twice the channels")
      }
      let (small, large) = (log(max(posterior, 1e-20)), log(forward))
      let logVariance = ((large - small) / 2) * (fraction + 1) + Tensor(Float(small))
      return mean + (0.5 * logVariance).exp() * noise
    }
  }
}

import NablaTensor

/// Denoising diffusion implicit models (Song et al. 2021, equation 12): go to level s with the same estimated
/// data and noise, with a part of the noise resampled.
///
///     x_s = α_s·x̂₀ + √(σ_s² - η²v)·ε̂ + η√v·z        v the posterior variance of ``AncestralDDPM``
///
/// η = 0 is deterministic; η = 1 is ancestral sampling if the noise is estimated from the same data.
/// The next level is that of the next step of the list, whatever the spacing.
public struct DDIM: Sampler {
  public var eta: Double

  public init(eta: Double = 0) { self.eta = eta }

  public func sample(
    _ x: Tensor, _ denoiser: Denoiser, along steps: [NoiseStep], random: inout RandomSource, observe: SamplingObserver
  ) -> Tensor {
    var x = x
    for (i, interval) in intervals(steps).enumerated() {
      let estimate = denoiser(x, at: interval.from)
      let noise = eta > 0 && interval.to.level.sigma > 0 ? random.normal(x.shape) : nil
      x = step(estimate, from: interval.from.level, to: interval.to.level, noise: noise)
      observe(i, x, estimate.data)
    }
    return x
  }

  /// One step from level t to level s. noise: standard normal; nil for none, whatever η.
  public func step(_ estimate: Estimate, from t: NoiseLevel, to s: NoiseLevel, noise: Tensor?) -> Tensor {
    guard let noise, eta > 0 else { return s.alpha * estimate.data + s.sigma * estimate.noise }
    let ratio = t.alpha / s.alpha
    let posterior = (t.sigma * t.sigma - ratio * ratio * s.sigma * s.sigma) * s.sigma * s.sigma / (t.sigma * t.sigma)
    let fresh = eta * eta * posterior
    precondition(fresh <= s.sigma * s.sigma * (1 + 1e-9), "DDIM: η = \(eta) requires more noise than the level has")
    return s.alpha * estimate.data + max(s.sigma * s.sigma - fresh, 0).squareRoot() * estimate.noise
      + fresh.squareRoot() * noise
  }
}

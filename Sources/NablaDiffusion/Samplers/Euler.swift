import NablaTensor

/// The probability flow by Euler's method, of first order, in the coordinates in which it is straightest: y = x/α as a
/// function of r = σ/α, where dy/dr = ε̂ (Karras et al. 2022; one evaluation per step).
///
///     y ← y + (r_s - r_t)·ε̂(x_t)
///
/// For variance-preserving processes this equals DDIM with η = 0.
public struct Euler: Sampler {
  public init() {}

  public func sample(
    _ x: Tensor, _ denoiser: Denoiser, along steps: [NoiseStep], random: inout RandomSource, observe: SamplingObserver
  ) -> Tensor {
    var y = (1 / steps[0].level.alpha) * x
    for (i, interval) in intervals(steps).enumerated() {
      let (t, s) = (interval.from.level, interval.to.level)
      precondition(t.alpha > 0, "Euler: σ/α is infinite at the first level; use DDIM, or the flow's own solver")
      let estimate = denoiser(t.alpha * y, at: interval.from)
      y = y + (s.noiseRatio - t.noiseRatio) * estimate.noise
      observe(i, s.alpha * y, estimate.data)
    }
    return steps.last!.level.alpha * y
  }
}

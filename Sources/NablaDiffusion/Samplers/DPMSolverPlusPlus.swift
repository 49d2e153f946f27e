import Glibc
import NablaTensor

/// DPM-Solver++(2M) (Lu et al. 2022, algorithm 2): second order with one evaluation per step, from this estimate of the
/// data and the one before. In λ = ln(α/σ), with h = λ_s - λ_t and r the ratio of the last h to this:
///
///     D = x̂₀ + (x̂₀ - x̂₀')/(2r)        x_s = (σ_s/σ_t)·x_t - α_s(e⁻ʰ - 1)·D
///
/// The first step and the one to σ = 0, where λ is infinite, are of first order (DDIM's).
public struct DPMSolverPlusPlus: Sampler {
  /// Takes the last step at first order too, even if it ends at some noise: more stable with few steps.
  public var lowerOrderFinal: Bool

  public init(lowerOrderFinal: Bool = false) { self.lowerOrderFinal = lowerOrderFinal }

  public func sample(
    _ x: Tensor, _ denoiser: Denoiser, along steps: [NoiseStep], random: inout RandomSource, observe: SamplingObserver
  ) -> Tensor {
    var x = x
    var last: (data: Tensor, h: Double)?
    let intervals = intervals(steps)
    for (i, interval) in intervals.enumerated() {
      let (t, s) = (interval.from.level, interval.to.level)
      let data = denoiser(x, at: interval.from).data
      let h = log(t.noiseRatio / s.noiseRatio)
      var direction = data
      if let last, h.isFinite, last.h.isFinite, !(lowerOrderFinal && i == intervals.count - 1) {
        direction = data + (h / (2 * last.h)) * (data - last.data)
      }
      // α_s(1 - e⁻ʰ) = α_s - σ_s·α_t/σ_t, which is α_s at σ_s = 0.
      x = (s.sigma / t.sigma) * x + (s.alpha - s.sigma * t.alpha / t.sigma) * direction
      last = (data, h)
      observe(i, x, data)
    }
    return x
  }
}

import NablaTensor

/// The probability flow by Heun's method, of second order, two evaluations per step (Karras et al. 2022, algorithm 1;
/// with churn algorithm 2). Coordinates as in ``Euler``: y = x/α, r = σ/α, dy/dr = ε̂.
public struct Heun: Sampler {
  /// The noise added before each step, to correct the errors of earlier ones; 0 for none.
  public var churn: Double
  /// Only at levels r in this range.
  public var churnRange: ClosedRange<Double>
  /// The standard deviation of that noise; a little above 1 makes up for detail lost.
  public var churnNoise: Double

  public init(churn: Double = 0, churnRange: ClosedRange<Double> = 0...Double.infinity, churnNoise: Double = 1) {
    (self.churn, self.churnRange, self.churnNoise) = (churn, churnRange, churnNoise)
  }

  public func sample(
    _ x: Tensor, _ denoiser: Denoiser, along steps: [NoiseStep], random: inout RandomSource, observe: SamplingObserver
  ) -> Tensor {
    var y = (1 / steps[0].level.alpha) * x
    let intervals = intervals(steps)
    for (i, interval) in intervals.enumerated() {
      let (t, s) = (interval.from.level, interval.to.level)
      precondition(t.alpha > 0, "Heun: σ/α is infinite at the first level; use DDIM, or the flow's own solver")
      var (from, r) = (interval.from, t.noiseRatio)
      if churn > 0, churnRange.contains(r) {
        precondition(t.alpha == 1, "Heun: churn requires a process with α = 1, whose times are noise levels")
        let higher = r * (1 + min(churn / Double(intervals.count), 2.squareRoot() - 1))
        y = y + (churnNoise * (higher * higher - r * r).squareRoot()) * random.normal(x.shape)
        r = higher
        from = NoiseStep(time: r, level: NoiseLevel(alpha: 1, sigma: r))
      }
      let estimate = denoiser(from.level.alpha * y, at: from)
      let distance = s.noiseRatio - r
      let predicted = y + distance * estimate.noise
      if s.sigma > 0 {
        let again = denoiser(s.alpha * predicted, at: interval.to)
        y = y + (distance / 2) * (estimate.noise + again.noise)
      } else {
        y = predicted  // no slope to take at r = 0
      }
      observe(i, s.alpha * y, estimate.data)
    }
    return steps.last!.level.alpha * y
  }
}

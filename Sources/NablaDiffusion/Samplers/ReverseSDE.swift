import NablaTensor

/// The reverse-time stochastic differential equation by the Euler-Maruyama method (Anderson 1982; Song et al. 2021,
/// equation 6).
///
///     dx = [f·x - g²·∇ₓ ln p] dt + g dw̄
///
/// which is the probability flow u = α′x̂₀ + σ′ε̂ plus a step of Langevin dynamics, in either direction of time:
///
///     x ← x + u·dt + (½g²·∇ₓ ln p)·|dt| + g·√|dt|·z
public struct ReverseSDE: Sampler {
  public let process: any GaussianProcess
  /// A factor on g²: 1 for the reverse SDE, 0 for the probability flow, more for more mixing.
  public var stochasticity: Double

  public init(_ process: any GaussianProcess, stochasticity: Double = 1) {
    (self.process, self.stochasticity) = (process, stochasticity)
  }

  public func sample(
    _ x: Tensor, _ denoiser: Denoiser, along steps: [NoiseStep], random: inout RandomSource, observe: SamplingObserver
  ) -> Tensor {
    var x = x
    let intervals = intervals(steps)
    for (i, interval) in intervals.enumerated() {
      let estimate = denoiser(x, at: interval.from)
      // The last step returns its mean: noise that is not removed would only blur.
      let noise = i == intervals.count - 1 ? nil : random.normal(x.shape)
      x = step(x, estimate, from: interval.from, to: interval.to.time, noise: noise)
      observe(i, x, estimate.data)
    }
    return x
  }

  /// One step to another time. noise: standard normal; nil for the mean.
  public func step(_ x: Tensor, _ estimate: Estimate, from: NoiseStep, to time: Double, noise: Tensor?) -> Tensor {
    let rate = process.rate(at: from.time)
    precondition(from.level.alpha > 0, "ReverseSDE: no signal at time \(from.time); start where some remains")
    let variance = stochasticity * process.squaredDiffusion(at: from.time)
    let dt = time - from.time
    let flow = rate.alpha * estimate.data + rate.sigma * estimate.noise
    let score = (-1 / from.level.sigma) * estimate.noise
    let mean = x + dt * flow + (variance / 2 * abs(dt)) * score
    guard let noise else { return mean }
    return mean + (variance * abs(dt)).squareRoot() * noise
  }
}

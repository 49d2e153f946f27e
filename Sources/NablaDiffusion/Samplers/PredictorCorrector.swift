import NablaTensor

/// Predictor-corrector sampling (Song et al. 2021, algorithm 1): after each step of the reverse SDE, some steps of
/// Langevin dynamics at the new noise level, which bring the samples back to that level's distribution.
public struct PredictorCorrector: Sampler {
  public let predictor: ReverseSDE
  /// Langevin steps after each predictor step.
  public var corrections: Int
  /// The signal-to-noise ratio of a Langevin step; determines the step size.
  public var signalToNoise: Double

  public init(_ process: any GaussianProcess, corrections: Int = 1, signalToNoise: Double = 0.16) {
    predictor = ReverseSDE(process)
    (self.corrections, self.signalToNoise) = (corrections, signalToNoise)
  }

  public func sample(
    _ x: Tensor, _ denoiser: Denoiser, along steps: [NoiseStep], random: inout RandomSource, observe: SamplingObserver
  ) -> Tensor {
    var x = x
    let intervals = intervals(steps)
    for (i, interval) in intervals.enumerated() {
      let estimate = denoiser(x, at: interval.from)
      let isLast = i == intervals.count - 1
      x = predictor.step(
        x, estimate, from: interval.from, to: interval.to.time, noise: isLast ? nil : random.normal(x.shape))
      if !isLast {
        // α of the discretized process, 1 - β: the share of the variance that a step keeps.
        let kept = interval.from.level.alpha / interval.to.level.alpha
        for _ in 0..<corrections { x = correct(x, denoiser, at: interval.to, kept: kept * kept, random: &random) }
      }
      observe(i, x, estimate.data)
    }
    return x
  }

  /// One Langevin step of size 2α(r‖z‖/‖score‖)², norms averaged over the batch.
  private func correct(
    _ x: Tensor, _ denoiser: Denoiser, at step: NoiseStep, kept: Double, random: inout RandomSource
  ) -> Tensor {
    let score = denoiser.score(x, at: step)
    let noise = random.normal(x.shape)
    let norm = meanNorm(score)
    guard norm > 0 else { return x }  // an untrained network with output 0
    let ratio = signalToNoise * meanNorm(noise) / norm
    let size = 2 * kept * ratio * ratio
    return langevinStep(x, score: score, size: size, noise: noise)
  }

  private func meanNorm(_ x: Tensor) -> Double {
    Double(x.reshaped([x.shape[0], -1]).square().sum(axis: 1).squareRoot().mean().item())
  }
}

/// x + size·score + √(2·size)·z: a step of unadjusted Langevin dynamics, whose samples tend to the distribution of the
/// score as the size tends to 0.
public func langevinStep(_ x: Tensor, score: Tensor, size: Double, noise: Tensor) -> Tensor {
  x + size * score + (2 * size).squareRoot() * noise
}

import NablaTensor

/// Annealed Langevin dynamics (Song & Ermon 2019, "Generative modeling by estimating gradients of the data
/// distribution", algorithm 1): at each noise level, from the largest to the smallest, some Langevin steps of size
/// ½ε·σ²/σ_min².
///
/// For processes with α = 1. The levels are those of the steps before the last; a last one without noise yields
/// the estimated data of the last samples (Jolicoeur-Martineau et al. 2021: one denoising step at the end).
public struct AnnealedLangevin: Sampler {
  /// Langevin steps at each level.
  public var stepsPerLevel: Int
  /// ε: twice the step size at the smallest noise level, in units of the data's variance.
  public var stepSize: Double

  public init(stepsPerLevel: Int = 100, stepSize: Double = 2e-5) {
    (self.stepsPerLevel, self.stepSize) = (stepsPerLevel, stepSize)
  }

  public func sample(
    _ x: Tensor, _ denoiser: Denoiser, along steps: [NoiseStep], random: inout RandomSource, observe: SamplingObserver
  ) -> Tensor {
    precondition(steps.allSatisfy { $0.level.alpha == 1 }, "AnnealedLangevin: the process must have α = 1")
    let levels = steps.last!.level.sigma == 0 ? steps.dropLast() : steps[...]
    precondition(!levels.isEmpty, "AnnealedLangevin: no noise level to sample at")
    let smallest = levels.last!.level.sigma
    var x = x
    for (i, step) in levels.enumerated() {
      let ratio = step.level.sigma / smallest
      for _ in 0..<stepsPerLevel {
        let noise = random.normal(x.shape)
        x = langevinStep(x, score: denoiser.score(x, at: step), size: stepSize * ratio * ratio / 2, noise: noise)
      }
      observe(i, x, x)
    }
    return levels.count == steps.count ? x : denoiser(x, at: levels.last!).data
  }
}

import NablaTensor

/// A sampling method, from noise to data: a value with the method's settings. Everything else is passed in.
public protocol Sampler: Sendable {
  /// - Parameters:
  ///   - x: samples at the first step's level, [B, ...]: `initialNoise` if no signal remains.
  ///   - denoiser: the model, as samplers use it.
  ///   - steps: from noisy to clean; the last is the end of the last step and is not evaluated.
  ///   - random: draws the noise of stochastic samplers.
  ///   - observe: called after each step with its number, the samples and the estimated data: for visualization and
  ///     tests.
  /// - Returns: samples at the last step's level.
  func sample(
    _ x: Tensor, _ denoiser: Denoiser, along steps: [NoiseStep], random: inout RandomSource, observe: SamplingObserver
  ) -> Tensor
}

/// After a step: its number from 0, x, and the data estimated from x before it.
public typealias SamplingObserver = (_ step: Int, _ x: Tensor, _ estimatedData: Tensor) -> Void

extension Sampler {
  public func sample(
    _ x: Tensor, _ denoiser: Denoiser, along steps: [NoiseStep], random: inout RandomSource
  ) -> Tensor {
    sample(x, denoiser, along: steps, random: &random) { _, _, _ in }
  }
}

/// Noise of the first step's level to start from. (The remaining signal of that step is missing: zero
/// terminal SNR closes that gap.)
public func initialNoise(_ shape: Shape, at step: NoiseStep, random: inout RandomSource) -> Tensor {
  step.level.sigma * random.normal(shape)
}

/// Adjacent pairs: the steps a sampler takes.
func intervals(_ steps: [NoiseStep]) -> [(from: NoiseStep, to: NoiseStep)] {
  precondition(steps.count >= 2, "a sampler requires at least two noise levels, not \(steps.count)")
  return zip(steps, steps.dropFirst()).map { ($0, $1) }
}

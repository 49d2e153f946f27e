import NablaTensor

/// Denoising diffusion (Ho et al. 2020, algorithm 1):
///
///     t ~ uniform on 0 … T - 1        ε ~ N(0, 1)        x_t = √ᾱ_t·x₀ + √(1 - ᾱ_t)·ε
///     loss = w_t·‖network(x_t, t) - target‖²                            target = ε, x₀ or v
public struct DDPMObjective: DenoisingObjective {
  public let process: DiscreteProcess
  public let prediction: Prediction
  public let weighting: LossWeighting

  /// - Throws: ``DiffusionError`` for predictions that carry no information where the process leaves no signal.
  public init(
    _ process: DiscreteProcess, predicting prediction: Prediction = .noise, weighting: LossWeighting = .simple
  ) throws(DiffusionError) {
    if process.hasZeroTerminalSNR, prediction == .noise || prediction == .score {
      throw .invalid(
        field: "prediction",
        "with zero terminal SNR the last step is pure noise, and predicting \(prediction == .noise ? "ε" : "the score") "
          + "there carries no information about the data: predict v or the data")
    }
    (self.process, self.prediction, self.weighting) = (process, prediction, weighting)
  }

  public func example(_ data: Tensor, random: inout RandomSource) -> DenoisingExample {
    example(data, steps: process.randomSteps(data.shape[0], random: &random), noise: random.normal(data.shape))
  }

  /// The same with given steps and noise.
  public func example(_ data: Tensor, steps: [Int], noise: Tensor) -> DenoisingExample {
    let levels = steps.map { process.level(at: $0) }
    return DenoisingExample(
      input: noised(data, noise: noise, levels: levels), times: steps.map(Double.init),
      target: prediction.target(data: data, noise: noise, levels: levels),
      weights: levels.map { weighting.weight(at: $0, predicting: prediction) })
  }

  public func denoiser(_ network: @escaping DenoisingNetwork) -> Denoiser {
    Denoiser(predicting: prediction) { x, step in network(x, everyRow(of: x, step.time)) }
  }
}

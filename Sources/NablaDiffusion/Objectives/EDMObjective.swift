import Glibc
import NablaTensor

/// Training of Karras et al. 2022 (equation 8): ln σ ~ N(P_mean, P_std²), and of D(x; σ) = c_skip·x + c_out·F(c_in·x;
/// c_noise)
///
///     loss = λ(σ)·‖D(x₀ + σε; σ) - x₀‖²        λ = (σ² + σ_data²)/(σ·σ_data)² = 1/c_out²
///          = ‖F(c_in·(x₀ + σε); c_noise) - (x₀ - c_skip·(x₀ + σε))/c_out‖²
public struct EDMObjective: DenoisingObjective {
  public let process: EDM

  public init(_ process: EDM = EDM()) { self.process = process }

  public func example(_ data: Tensor, random: inout RandomSource) -> DenoisingExample {
    let sigmas = random.normal([data.shape[0]]).array(of: Double.self).map {
      exp(process.logSigmaMean + process.logSigmaDeviation * $0)
    }
    return example(data, sigmas: sigmas, noise: random.normal(data.shape))
  }

  /// The same with given noise levels and noise.
  public func example(_ data: Tensor, sigmas: [Double], noise: Tensor) -> DenoisingExample {
    let c = sigmas.map { process.preconditioning(at: $0) }
    let x = data + perRow(sigmas, like: data) * noise
    let target = (data - perRow(c.map(\.skip), like: x) * x) / perRow(c.map(\.out), like: x)
    return DenoisingExample(
      input: perRow(c.map(\.input), like: x) * x, times: c.map(\.noise), target: target, weights: sigmas.map { _ in 1 })
  }

  public func denoiser(_ network: @escaping DenoisingNetwork) -> Denoiser {
    Denoiser(predicting: .data) { x, step in
      precondition(step.level.alpha == 1, "EDM: the noise levels must be of a process with α = 1")
      let c = process.preconditioning(at: step.level.sigma)
      return c.skip * x + c.out * network(c.input * x, everyRow(of: x, c.noise))
    }
  }
}

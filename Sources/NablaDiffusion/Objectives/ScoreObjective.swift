import Glibc
import NablaTensor

/// Denoising score matching (Vincent 2011; Song et al. 2021, equation 7): the score of noisy data is, on average,
/// that of the added noise,
///
///     ∇ₓ ln p(x_t | x₀) = -(x_t - α·x₀)/σ² = -ε/σ
///
///     loss = σ²·‖s(x_t, t) - (-ε/σ)‖² = ‖σ·s(x_t, t) + ε‖²
///
/// so that every level has equal weight. The network F gives the score as s(x, t) = F(c·x, time)/σ, c = 1/√(α²·σ_data²
/// + σ²) keeping its input at variance 1.
public struct ScoreObjective: DenoisingObjective {
  public let process: any GaussianProcess
  /// The standard deviation of the data.
  public let dataDeviation: Double

  public init(_ process: any GaussianProcess = VariancePreserving(), dataDeviation: Double = 1) {
    (self.process, self.dataDeviation) = (process, dataDeviation)
  }

  public func example(_ data: Tensor, random: inout RandomSource) -> DenoisingExample {
    let (clean, noisy) = (process.cleanTime, process.noisyTime)
    let times = (0..<data.shape[0]).map { _ in clean + (noisy - clean) * random.uniform() }
    return example(data, times: times, noise: random.normal(data.shape))
  }

  /// The same with given times and noise.
  public func example(_ data: Tensor, times: [Double], noise: Tensor) -> DenoisingExample {
    let levels = times.map { process.level(at: $0) }
    let x = noised(data, noise: noise, levels: levels)
    // F should be σ·score = -ε.
    return DenoisingExample(
      input: perRow(levels.map(inputScale), like: x) * x, times: levels.map(networkTime), target: -noise,
      weights: levels.map { _ in 1 })
  }

  public func denoiser(_ network: @escaping DenoisingNetwork) -> Denoiser {
    Denoiser(predicting: .score) { x, step in
      (1 / step.level.sigma) * network(inputScale(step.level) * x, everyRow(of: x, networkTime(step.level)))
    }
  }

  private func inputScale(_ level: NoiseLevel) -> Double {
    let signal = level.alpha * dataDeviation
    return 1 / (signal * signal + level.sigma * level.sigma).squareRoot()
  }

  /// ln(σ/α)/4, of moderate magnitude for any process.
  private func networkTime(_ level: NoiseLevel) -> Double { log(level.noiseRatio) / 4 }
}

import NablaDiffusion
import NablaTensor

/// The best that can be said of noise on these data: where x = α·x₀ + σ·ε and x₀ is one of N points, each as likely as
/// another, Bayes' theorem gives
///
///     p(x₀ = xᵢ | x) = softmaxᵢ(-|x - α·xᵢ|²/2σ²)        x̂₀ = Σ p(xᵢ | x)·xᵢ        ε̂ = (x - α·x̂₀)/σ
///
/// and -ε̂/σ is exactly the score ∇ₓ ln p(x) of the noisy data. A network that learns from the same points can at best
/// come to this, and it should not quite: whoever samples with it gets the N points back.
struct ExactDenoiser: Sendable {
  /// [N, 2].
  let points: Tensor
  /// |xᵢ|², [1, N].
  private let squares: Tensor

  init(_ points: Tensor) {
    self.points = points
    squares = points.square().sum(axis: 1).reshaped([1, points.shape[0]])
  }

  /// x̂₀ of each row of x: [B, 2], with noise levels of their own.
  func data(_ x: Tensor, levels: [NoiseLevel]) -> Tensor {
    let alpha = column(levels.map { $0.alpha })
    let variance = column(levels.map { $0.sigma * $0.sigma })
    // -|x - α·xᵢ|²/2σ² without |x|², which is the same for all i.
    let logits = (alpha * x.matmul(points, transposingOther: true) - alpha * alpha * squares / 2) / variance
    return logits.softmax().matmul(points)
  }

  /// ε̂ of each row of x.
  func noise(_ x: Tensor, levels: [NoiseLevel]) -> Tensor {
    (x - column(levels.map { $0.alpha }) * data(x, levels: levels)) / column(levels.map { $0.sigma })
  }

  /// As samplers use it.
  var denoiser: Denoiser {
    Denoiser(predicting: .data) { x, step in data(x, levels: Array(repeating: step.level, count: x.shape[0])) }
  }

  private func column(_ values: [Double]) -> Tensor { Tensor(values.map(Float.init), [values.count, 1]) }
}

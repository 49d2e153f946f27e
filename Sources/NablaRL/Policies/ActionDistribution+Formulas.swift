import NablaNN
import NablaTensor

// The distribution over actions in plain formulas, with gradients. The kernels compute the same faster.

extension ActorCritic.Output {
  /// Logits of discrete actions, or means of continuous ones: [B, A].
  var parameters: Tensor {
    stride == actionCount ? tensor : tensor.split([actionCount, stride - actionCount], axis: 1)[0]
  }

  /// V: [B].
  var values: Tensor {
    precondition(stride > actionCount, "ActorCritic.Output.values: an output without values")
    return tensor.split([actionCount, 1], axis: 1)[1].reshaped([tensor.shape[0]])
  }

  /// ln π of actions: [B] int32 → [B], the logarithm of the softmax; or [B, A] numbers → [B], of independent normal
  /// distributions, Σ -½((a - μ)/σ)² - ln σ - ½ ln 2π.
  func logProbabilities(of actions: Tensor) -> Tensor {
    guard let logDeviation = logStandardDeviation else { return parameters.logSoftmax().gatherLast(actions) }
    let z = (actions - parameters) * (-logDeviation).exp()
    let halfLog2π: Float = 0.918938533204672742
    return (z.square() * Tensor(-0.5) - logDeviation - Tensor(halfLog2π)).sum(axis: 1)
  }

  /// The entropy of the distribution in each row, [B] or the same for all rows, in nats.
  var entropy: Tensor {
    guard let logDeviation = logStandardDeviation else { return categoricalEntropy(parameters) }
    let halfLog2πe: Float = 1.418938533204672742
    return (logDeviation + Tensor(halfLog2πe)).sum()
  }
}

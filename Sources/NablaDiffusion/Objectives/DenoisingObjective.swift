import NablaTensor

/// A network of a noisy sample and its time. x: [B, ...], times: [B] → [B, ...].
public typealias DenoisingNetwork = (_ x: Tensor, _ times: Tensor) -> Tensor

/// A training batch: the network's input, its target, and the weight of each row.
public struct DenoisingExample: Sendable {
  /// [B, ...].
  public var input: Tensor
  /// [B], as input to the network.
  public var times: Tensor
  /// [B, ...].
  public var target: Tensor
  /// [B].
  public var weights: Tensor

  public init(input: Tensor, times: [Double], target: Tensor, weights: [Double]) {
    self.input = input
    self.times = Tensor(times.map(Float.init))
    self.target = target
    self.weights = Tensor(weights.map(Float.init))
  }
}

/// A training objective: it defines a regression problem on data, and a denoiser from the trained network.
///
/// The loss of all of them is the same weighted squared error, `denoisingLoss`: they differ in the noise levels they
/// draw, in what is predicted, and in the preconditioning of the network.
public protocol DenoisingObjective: Sendable {
  /// Adds noise to data [B, ...], at levels drawn for each row.
  func example(_ data: Tensor, random: inout RandomSource) -> DenoisingExample
  /// The network in the form that samplers use.
  func denoiser(_ network: @escaping DenoisingNetwork) -> Denoiser
}

/// E[w·(prediction - target)²], the mean over all numbers: a regression, whatever the objective.
///
/// - Parameters:
///   - prediction: [B, …], the network's output.
///   - target: [B, …], of the same shape.
///   - weights: [B], one per row.
public func denoisingLoss(_ prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor {
  let perRow = (prediction - target).square().reshaped([prediction.shape[0], -1]).mean(axis: 1)
  return (perRow * weights).mean()
}

extension DenoisingObjective {
  /// The loss of a network on data [B, ...]: a scalar.
  public func loss(_ network: DenoisingNetwork, on data: Tensor, random: inout RandomSource) -> Tensor {
    let example = example(data, random: &random)
    return denoisingLoss(network(example.input, example.times), target: example.target, weights: example.weights)
  }
}

/// One time for every row of x.
func everyRow(of x: Tensor, _ time: Double) -> Tensor { Tensor.full([x.shape[0]], Float(time)) }

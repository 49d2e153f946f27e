import NablaNN
import NablaTensor

/// A policy π(a|s) and a value function V(s): two multilayer perceptrons, or one with outputs for both.
///
/// Discrete actions: the policy's outputs are logits. Continuous ones: they are the means of normal distributions,
/// whose standard deviations exp(`log_std`) are parameters too, the same in every state.
///
/// Weights are initialized orthogonal with gain √2, biases 0; the last layer of the policy has gain 0.01, so that all
/// actions start about equally likely, and that of the value 1 (Huang et al. 2022, "The 37 implementation details of
/// PPO", detail 2).
public final class ActorCritic: Module {
  public let architecture: PolicyArchitecture
  @Named var policy: MultilayerPerceptron?
  @Named var value: MultilayerPerceptron?
  /// Outputs [..., A + 1]: the policy's, then the value.
  @Named var shared: MultilayerPerceptron?
  @Parameter("log_std") var logStandardDeviation: Tensor? = nil

  public init(_ architecture: PolicyArchitecture, random: inout RandomSource) {
    self.architecture = architecture
    super.init()
    let actions = architecture.actionSpace.count
    let widths = [architecture.observationCount] + architecture.hiddenWidths
    let gains = architecture.hiddenWidths.map { _ in Float(2).squareRoot() }
    let activation = architecture.activation
    if architecture.sharesNetwork {
      let network = MultilayerPerceptron(
        widths + [actions + 1], activation: activation, gains: gains + [1], random: &random)
      // The rows of the last layer are orthonormal: those of the policy get its gain.
      let last = network.layers.last!
      last.weight = last.weight * Tensor(Array(repeating: 0.01, count: actions) + [1], [actions + 1, 1])
      shared = network
      policy = nil
      value = nil
    } else {
      policy = MultilayerPerceptron(widths + [actions], activation: activation, gains: gains + [0.01], random: &random)
      value = MultilayerPerceptron(widths + [1], activation: activation, gains: gains + [1], random: &random)
      shared = nil
    }
    logStandardDeviation =
      architecture.actionSpace.isDiscrete ? nil : .full([actions], architecture.initialLogStandardDeviation)
  }

  /// The network's outputs for a batch of observations.
  struct Output {
    /// [B, A + 1]: the policy's outputs, then V; or [B, A] without V.
    let tensor: Tensor
    /// A.
    let actionCount: Int
    let logStandardDeviation: Tensor?

    /// The stride from one row to the next.
    var stride: Int { tensor.shape[1] }
  }

  /// observations: [B, O].
  func callAsFunction(_ observations: Tensor) -> Output {
    output(shared.map { $0(observations) } ?? MultilayerPerceptron.sideBySide([policy!, value!], observations))
  }

  /// Without V, unless one network computes both: what acting needs.
  func actionOutput(_ observations: Tensor) -> Output { output((shared ?? policy!)(observations)) }

  private func output(_ tensor: Tensor) -> Output {
    Output(
      tensor: tensor, actionCount: architecture.actionSpace.count, logStandardDeviation: logStandardDeviation)
  }

  /// V of observations [B, O] → [B].
  public func values(_ observations: Tensor) -> Tensor {
    withoutGradient {
      if let value { return value(observations).reshaped([observations.shape[0]]) }
      let actions = architecture.actionSpace.count
      let output = shared!(observations)
      return Tensor((0..<output.shape[0]).map { output.floats[$0 * (actions + 1) + actions] })
    }
  }

  /// The probabilities of discrete actions, [B, A], or the means of continuous ones, for observations [B, O].
  public func actionParameters(_ observations: Tensor) -> Tensor {
    withoutGradient {
      let output = actionOutput(observations)
      let actions = output.actionCount
      let parameters =
        output.stride == actions ? output.tensor : output.tensor.split([actions, 1], axis: 1)[0]
      return architecture.actionSpace.isDiscrete ? parameters.softmax() : parameters
    }
  }
}

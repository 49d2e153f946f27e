import NablaTensor

/// The shape of an actor-critic network: what is needed to build it before its parameters are read.
public struct PolicyArchitecture: Codable, Sendable, Hashable {
  /// O: the number of observed values.
  public var observationCount: Int
  public var actionSpace: ActionSpace
  /// Sizes of the hidden layers.
  public var hiddenWidths: [Int] = [64, 64]
  public var activation = Activation.tanh
  /// Whether one network computes both the policy and the value, instead of two networks.
  public var sharesNetwork = false
  /// Continuous actions: whether they are tanh of a normal sample, scaled to the bounds, instead of a normal
  /// sample clipped to the bounds.
  public var squashesActions = false
  /// Initial ln σ of continuous actions.
  public var initialLogStandardDeviation: Float = 0

  public init(observationCount: Int, actionSpace: ActionSpace) {
    self.observationCount = observationCount
    self.actionSpace = actionSpace
  }
}

import NablaTensor

/// The shape of an actor-critic network: what is needed to build it before its parameters are read.
public struct PolicyArchitecture: Codable, Sendable, Hashable {
  /// O: numbers the environment shows.
  public var observationCount: Int
  public var actionSpace: ActionSpace
  /// Widths of the hidden layers.
  public var hiddenWidths: [Int] = [64, 64]
  public var activation = Activation.tanh
  /// Whether one network gives both the policy and the value, instead of two networks.
  public var sharesNetwork = false
  /// Continuous actions: whether they are tanh of a normal number, stretched to the bounds, instead of a normal number
  /// clipped to the bounds.
  public var squashesActions = false
  /// ln σ that continuous actions start with.
  public var initialLogStandardDeviation: Float = 0

  public init(observationCount: Int, actionSpace: ActionSpace) {
    self.observationCount = observationCount
    self.actionSpace = actionSpace
  }
}

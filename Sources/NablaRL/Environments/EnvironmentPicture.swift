/// What reports show of an environment: the names of its actions, its speed, and a slice through its state space.
package struct EnvironmentPicture: Sendable {
  /// One name per discrete action; for continuous actions the name of the first number.
  package let actions: [String]
  /// The simulated time of a step; nil if an episode is one step.
  package let secondsPerStep: Double?
  package let slice: StateSlice
}

/// Built-in dynamics.
package protocol PicturedDynamics: Dynamics {
  var picture: EnvironmentPicture { get }
}

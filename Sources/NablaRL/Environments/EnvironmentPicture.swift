/// What people are shown of an environment: the names of its actions, its speed, and a slice through its states.
package struct EnvironmentPicture: Sendable {
  /// Of discrete actions one each; of continuous ones the name of the first number.
  package let actions: [String]
  /// How long a step takes in the world it simulates; nil where an episode is one step.
  package let secondsPerStep: Double?
  package let slice: StateSlice
}

/// Dynamics that come with Nabla.
package protocol PicturedDynamics: Dynamics {
  var picture: EnvironmentPicture { get }
}

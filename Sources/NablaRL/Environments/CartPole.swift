import CNablaKernels
import NablaTensor

/// `CartPole-v1` of Gymnasium: push a cart left or right so that the pole on it stays up (Barto, Sutton and Anderson
/// 1983; equations of Florian 2007).
///
/// - Reward: 1 per step.
/// - Ends when the cart is more than 2.4 m from the middle, or the pole more than 12° from upright; cut off after 500
///   steps.
/// - Time step: 0.02 s, explicit Euler.
package struct CartPole: PicturedDynamics {
  package let name = "CartPole-v1"
  package let observationSpace = ObservationSpace(
    ["position", "velocity", "angle", "angular velocity"],
    within: [4.8, .infinity, 2 * 12 * 2 * .pi / 360, .infinity])
  package let actionSpace = ActionSpace.discrete(2)
  package let timeLimit: Int? = 500
  package let stateNames = ["position", "velocity", "angle", "angular velocity"]

  package var picture: EnvironmentPicture {
    EnvironmentPicture(
      actions: ["left", "right"], secondsPerStep: 0.02,
      slice: StateSlice(
        x: ("angle", -0.21...0.21), y: ("angular velocity", -2...2),
        remark: "The cart stands still in the middle."
      ) { [0, 0, Float($0), Float($1)] })
  }

  package func reset(_ i: Int, random: inout RandomSource, _ batch: EnvironmentBatch) {
    let state = random.uniform4(within: 0.05)
    batch.set(i, state)
    batch.observe(i, state)
  }

  /// The equations are in CNablaKernels/environments.c.
  package func step(_ range: Range<Int>, _ batch: EnvironmentBatch) {
    nabla_cartpole_step(
      Int64(range.lowerBound), Int64(range.count), Int64(batch.count), batch.state, batch.actions.discrete,
      batch.observations, batch.terminated)
    (batch.rewards + range.lowerBound).update(repeating: 1, count: range.count)
  }
}

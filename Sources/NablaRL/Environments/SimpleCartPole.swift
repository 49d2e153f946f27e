import NablaTensor

/// A pole-balancing task reduced to four additions, to demonstrate the math of policy gradients: no trigonometry, no
/// masses. The push moves cart and pole in the same direction, and a restoring force pulls the pole upright.
///
/// - Reward: 1 per step.
/// - Ends when |position| > 2 or |angle| > 0.5; cut off after 200 steps.
/// - Time step: 0.1, each quantity from those just updated.
package struct SimpleCartPole: PicturedDynamics {
  package let name = "SimpleCartPole"
  package let observationSpace = ObservationSpace(
    ["position", "velocity", "angle", "angular velocity"], within: [4, .infinity, 1, .infinity])
  package let actionSpace = ActionSpace.discrete(2)
  package let timeLimit: Int? = 200
  package let stateNames = ["position", "velocity", "angle", "angular velocity"]

  package var picture: EnvironmentPicture {
    EnvironmentPicture(
      actions: ["left", "right"], secondsPerStep: 0.05,
      slice: StateSlice(
        x: ("angle", -0.5...0.5), y: ("angular velocity", -1...1),
        remark: "The cart stands still in the middle."
      ) { [0, 0, Float($0), Float($1)] })
  }

  package func reset(_ i: Int, random: inout RandomSource, _ batch: EnvironmentBatch) {
    let state = random.uniform4(within: 0.1)
    batch.set(i, state)
    batch.observe(i, state)
  }

  package func step(_ range: Range<Int>, _ batch: EnvironmentBatch) {
    for i in range {
      let force = batch.actions.discrete[i] == 1 ? 1.0 : -1.0
      let velocity = batch[1, i] + 0.1 * force
      let position = batch[0, i] + 0.1 * velocity
      let angularVelocity = batch[3, i] + 0.1 * (force - 0.5 * batch[2, i])
      let angle = batch[2, i] + 0.1 * angularVelocity
      let state = SIMD4(position, velocity, angle, angularVelocity)
      batch.set(i, state)
      batch.observe(i, state)
      batch.rewards[i] = 1
      batch.terminated[i] = abs(angle) > 0.5 || abs(position) > 2
    }
  }
}

import Glibc
import NablaTensor

/// `MountainCar-v0` of Gymnasium: a car too weak for the hill must swing back and forth to reach the flag (Moore 1990).
///
/// - Actions: push left, nothing, push right.
/// - Reward: -1 per step.
/// - Ends at position 0.5; cut off after 200 steps.
package struct MountainCar: PicturedDynamics {
  package let name = "MountainCar-v0"
  package let observationSpace = ObservationSpace(["position", "velocity"], low: [-1.2, -0.07], high: [0.6, 0.07])
  package let actionSpace = ActionSpace.discrete(3)
  package let timeLimit: Int? = 200
  package let stateNames = ["position", "velocity"]

  package var picture: EnvironmentPicture {
    EnvironmentPicture(
      actions: ["left", "nothing", "right"], secondsPerStep: 1 / 30,
      slice: StateSlice(x: ("position", -1.2...0.6), y: ("velocity", -0.07...0.07)) { [Float($0), Float($1)] })
  }

  package func reset(_ i: Int, random: inout RandomSource, _ batch: EnvironmentBatch) {
    let state = SIMD2(random.uniform(-0.6, -0.4), 0)
    batch.set(i, state)
    batch.observe(i, state)
  }

  package func step(_ range: Range<Int>, _ batch: EnvironmentBatch) {
    for i in range {
      var position = batch[0, i]
      var velocity = batch[1, i] + (Double(batch.actions.discrete[i] - 1) * 0.001 + cos(3 * position) * -0.0025)
      velocity = min(max(velocity, -0.07), 0.07)
      position = min(max(position + velocity, -1.2), 0.6)
      // The left wall stops the car.
      if position == -1.2, velocity < 0 { velocity = 0 }
      batch.set(i, SIMD2(position, velocity))
      batch.observe(i, SIMD2(position, velocity))
      batch.rewards[i] = -1
      batch.terminated[i] = position >= 0.5 && velocity >= 0
    }
  }
}

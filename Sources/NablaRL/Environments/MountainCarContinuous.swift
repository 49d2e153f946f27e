import Glibc
import NablaTensor

/// `MountainCarContinuous-v0` of Gymnasium: the mountain car with a continuous force, which has a cost.
///
/// - Action: a force, clipped to [-1, 1].
/// - Reward: 100 at the flag, minus a tenth of the square of the unclipped force.
/// - Ends at position 0.45; cut off after 999 steps.
///
/// Gymnasium computes this one in float32, and so does Nabla: its state is the observation.
package struct MountainCarContinuous: PicturedDynamics {
  package let name = "MountainCarContinuous-v0"
  package let observationSpace = ObservationSpace(["position", "velocity"], low: [-1.2, -0.07], high: [0.6, 0.07])
  package let actionSpace = ActionSpace.continuous(low: [-1], high: [1])
  package let timeLimit: Int? = 999
  package let stateNames = ["position", "velocity"]

  package var picture: EnvironmentPicture {
    EnvironmentPicture(
      actions: ["force"], secondsPerStep: 1 / 30,
      slice: StateSlice(x: ("position", -1.2...0.6), y: ("velocity", -0.07...0.07)) { [Float($0), Float($1)] })
  }

  package func reset(_ i: Int, random: inout RandomSource, _ batch: EnvironmentBatch) {
    let position = Double(Float(random.uniform(-0.6, -0.4)))
    batch.set(i, SIMD2(position, 0))
    batch.observe(i, SIMD2(position, 0))
  }

  package func step(_ range: Range<Int>, _ batch: EnvironmentBatch) {
    for i in range {
      let action = batch.actions.continuous[i]
      var (position, velocity) = (Float(batch[0, i]), Float(batch[1, i]))
      let pull = 0.0025 * cos(Double(3 * position))
      // A force within the bounds is a float32 there, and a clipped one a float64.
      if -1...1 ~= action {
        velocity += action * 0.0015 - Float(pull)
      } else {
        velocity += Float((action > 0 ? 1 : -1) * 0.0015 - pull)
      }
      velocity = min(max(velocity, -0.07), 0.07)
      position = min(max(position + velocity, -1.2), 0.6)
      if position == -1.2, velocity < 0 { velocity = 0 }
      let atFlag = position >= 0.45 && velocity >= 0
      let state = SIMD2(Double(position), Double(velocity))
      batch.set(i, state)
      batch.observe(i, state)
      batch.rewards[i] = Float((atFlag ? 100 : 0) - Double(action) * Double(action) * 0.1)
      batch.terminated[i] = atFlag
    }
  }
}

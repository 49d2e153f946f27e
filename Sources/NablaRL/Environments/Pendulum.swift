import Glibc
import NablaTensor

/// `Pendulum-v1` of Gymnasium: swing a pendulum up and hold it there with a torque too weak to lift it at once.
///
/// - Action: a torque u, clipped to [-2, 2].
/// - Reward: -(θ² + 0.1 θ̇² + 0.001 u²), θ = 0 upright, in [-π, π).
/// - Cut off after 200 steps; it never terminates.
/// - Time step: 0.05 s, semi-implicit Euler. g = 10, m = l = 1.
package struct Pendulum: PicturedDynamics {
  package let name = "Pendulum-v1"
  package let observationSpace = ObservationSpace(["cos θ", "sin θ", "angular velocity"], within: [1, 1, 8])
  package let actionSpace = ActionSpace.continuous(low: [-2], high: [2])
  package let timeLimit: Int? = 200
  package let stateNames = ["angle", "angular velocity"]

  package var picture: EnvironmentPicture {
    EnvironmentPicture(
      actions: ["torque"], secondsPerStep: 0.05,
      slice: StateSlice(
        x: ("angle", -Double.pi...Double.pi), y: ("angular velocity", -8...8), remark: "Angle 0 is upright."
      ) { [Float(cos($0)), Float(sin($0)), Float($1)] })
  }

  package func reset(_ i: Int, random: inout RandomSource, _ batch: EnvironmentBatch) {
    batch.set(i, SIMD2(random.uniform(-.pi, .pi), random.uniform(-1, 1)))
    observe(i, batch)
  }

  package func step(_ range: Range<Int>, _ batch: EnvironmentBatch) {
    for i in range {
      let (angle, velocity) = (batch[0, i], batch[1, i])
      // The torque is float32 in Gymnasium, and so are its multiples.
      let torque = min(max(batch.actions.continuous[i], -2), 2)
      let upright = normalized(angle)
      let cost = upright * upright + 0.1 * (velocity * velocity) + Double(0.001 * (torque * torque))
      let next = min(max(velocity + (15 * sin(angle) + Double(3 * torque)) * 0.05, -8), 8)
      batch.set(i, SIMD2(angle + next * 0.05, next))
      observe(i, batch)
      batch.rewards[i] = Float(-cost)
      batch.terminated[i] = false
    }
  }

  private func observe(_ i: Int, _ batch: EnvironmentBatch) {
    batch.observe(i, SIMD3(cos(batch[0, i]), sin(batch[0, i]), batch[1, i]))
  }

  /// The same angle in [-π, π).
  private func normalized(_ angle: Double) -> Double {
    let rest = fmod(angle + .pi, 2 * .pi)
    return (rest < 0 ? rest + 2 * .pi : rest) - .pi
  }
}

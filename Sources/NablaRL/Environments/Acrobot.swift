import Glibc
import NablaTensor

/// `Acrobot-v1` of Gymnasium: two links hang from a bar, and a motor in the elbow must swing the tip above a line
/// (Sutton 1996; equations of Sutton and Barto 2018, section 11.3 of the first edition).
///
/// - Actions: torque -1, 0, +1 on the elbow.
/// - Reward: -1 per step, 0 for the last.
/// - Ends when -cos θ₁ - cos(θ₁ + θ₂) > 1; cut off after 500 steps.
/// - Time step: 0.2 s, one step of Runge-Kutta of order 4.
package struct Acrobot: PicturedDynamics {
  package let name = "Acrobot-v1"
  package let observationSpace = ObservationSpace(
    ["cos θ₁", "sin θ₁", "cos θ₂", "sin θ₂", "angular velocity 1", "angular velocity 2"],
    within: [1, 1, 1, 1, 4 * .pi, 9 * .pi])
  package let actionSpace = ActionSpace.discrete(3)
  package let timeLimit: Int? = 500
  package let stateNames = ["angle 1", "angle 2", "angular velocity 1", "angular velocity 2"]

  package var picture: EnvironmentPicture {
    EnvironmentPicture(
      actions: ["torque −1", "none", "torque +1"], secondsPerStep: 1 / 15,
      slice: StateSlice(
        x: ("angle 1", -Double.pi...Double.pi), y: ("angle 2", -Double.pi...Double.pi),
        remark: "Both links are at rest; at angles 0 they hang down."
      ) { [Float(cos($0)), Float(sin($0)), Float(cos($1)), Float(sin($1)), 0, 0] })
  }

  package func reset(_ i: Int, random: inout RandomSource, _ batch: EnvironmentBatch) {
    // Rounded to float32, as Gymnasium does.
    batch.set(i, SIMD4<Double>(SIMD4<Float>(random.uniform4(within: 0.1))))
    observe(i, batch)
  }

  package func step(_ range: Range<Int>, _ batch: EnvironmentBatch) {
    for i in range {
      let torque = Double(batch.actions.discrete[i] - 1)
      var s = rungeKutta(SIMD4(batch[0, i], batch[1, i], batch[2, i], batch[3, i]), torque: torque)
      s[0] = wrapped(s[0])
      s[1] = wrapped(s[1])
      s[2] = min(max(s[2], -4 * .pi), 4 * .pi)
      s[3] = min(max(s[3], -9 * .pi), 9 * .pi)
      batch.set(i, s)
      observe(i, batch)
      let isUp = -cos(s[0]) - cos(s[1] + s[0]) > 1
      batch.rewards[i] = isUp ? 0 : -1
      batch.terminated[i] = isUp
    }
  }

  private func observe(_ i: Int, _ batch: EnvironmentBatch) {
    batch.observe(
      i,
      SIMD8(cos(batch[0, i]), sin(batch[0, i]), cos(batch[1, i]), sin(batch[1, i]), batch[2, i], batch[3, i], 0, 0))
  }

  private func rungeKutta(_ s: SIMD4<Double>, torque: Double) -> SIMD4<Double> {
    let dt = 0.2
    let k1 = derivative(s, torque)
    let k2 = derivative(s + dt / 2 * k1, torque)
    let k3 = derivative(s + dt / 2 * k2, torque)
    let k4 = derivative(s + dt * k3, torque)
    return s + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
  }

  /// Masses, lengths and moments of inertia are 1, centers of mass in the middle of the links.
  private func derivative(_ s: SIMD4<Double>, _ torque: Double) -> SIMD4<Double> {
    let (angle1, angle2, velocity1, velocity2) = (s[0], s[1], s[2], s[3])
    let (cosine2, sine2) = (cos(angle2), sin(angle2))
    let d1 = 0.25 + (1 + 0.25 + cosine2) + 1 + 1
    let d2 = (0.25 + 0.5 * cosine2) + 1
    let phi2 = 0.5 * 9.8 * cos(angle1 + angle2 - .pi / 2)
    let phi1 =
      -0.5 * (velocity2 * velocity2) * sine2 - velocity2 * velocity1 * sine2 + 1.5 * 9.8 * cos(angle1 - .pi / 2) + phi2
    let acceleration2 =
      (torque + d2 / d1 * phi1 - 0.5 * (velocity1 * velocity1) * sine2 - phi2) / (0.25 + 1 - d2 * d2 / d1)
    return SIMD4(velocity1, velocity2, -(d2 * acceleration2 + phi1) / d1, acceleration2)
  }

  /// The same angle in [-π, π].
  private func wrapped(_ angle: Double) -> Double {
    var angle = angle
    while angle > .pi { angle -= 2 * .pi }
    while angle < -.pi { angle += 2 * .pi }
    return angle
  }
}

import NablaTensor

/// A contextual bandit: observe a point of the square, pull one of four arms, and the episode ends. The reward of arm
/// a is the coordinate of the point in its direction (right, up, left, down) plus noise, so the optimal policy splits
/// the square along its diagonals and earns 2/3 on average.
///
/// - Observation: the point (x, y), uniform in [-1, 1]².
/// - Reward: direction of the arm · (x, y), plus noise uniform in [-0.5, 0.5].
/// - Ends after one step.
package struct ContextualBandit: PicturedDynamics {
  package let name = "ContextualBandit"
  package let observationSpace = ObservationSpace(["x", "y"], within: [1, 1])
  package let actionSpace = ActionSpace.discrete(4)
  package let timeLimit: Int? = nil
  package let stateNames = ["x", "y"]

  package var picture: EnvironmentPicture {
    EnvironmentPicture(
      actions: ["right", "up", "left", "down"], secondsPerStep: nil,
      slice: StateSlice(x: ("x", -1...1), y: ("y", -1...1)) { [Float($0), Float($1)] })
  }

  package func reset(_ i: Int, random: inout RandomSource, _ batch: EnvironmentBatch) {
    let point = SIMD2(random.uniform(-1, 1), random.uniform(-1, 1))
    batch.set(i, point)
    batch.observe(i, point)
  }

  package func step(_ range: Range<Int>, _ batch: EnvironmentBatch) {
    for i in range {
      var random = batch.random(i)
      let arm = Int(batch.actions.discrete[i])
      let worth = batch[arm % 2, i] * (arm < 2 ? 1 : -1)
      batch.rewards[i] = Float(worth + random.uniform(-0.5, 0.5))
      batch.terminated[i] = true
    }
  }
}

import NablaNN
import NablaTensor

/// T steps in N environments, in the order they were taken: row t·N + i is step t of environment i.
final class Rollout {
  /// T.
  let steps: Int
  /// N.
  let count: Int
  /// [T·N, O], as input to the network.
  let observations: Tensor
  /// [T·N] int32, or [T·N, A] as the policy drew them.
  let actions: Tensor
  /// [T·N]: ln π of the actions when they were taken.
  let logProbabilities: Tensor
  /// The input of advantage estimation.
  var outcome: RolloutRewards
  /// [T·N]: Â.
  var advantages: Tensor
  /// [T·N]: the targets of the value function, Â + V.
  var returns: Tensor
  /// [T·N]: V when the actions were taken.
  var values: Tensor
  /// Final observations of the episodes that were cut off, as input to the network, and the rows they belong to.
  var finalObservations: [Float] = []
  var finalRows: [Int] = []

  init(steps: Int, count: Int, architecture: PolicyArchitecture) {
    (self.steps, self.count, taken) = (steps, count, steps)
    let rows = steps * count
    observations = Tensor(uninitialized: [rows, architecture.observationCount])
    let actionCount = architecture.actionSpace.count
    actions =
      architecture.actionSpace.isDiscrete
      ? Tensor(uninitialized: [rows], dtype: .int32) : Tensor(uninitialized: [rows, actionCount])
    logProbabilities = Tensor(uninitialized: [rows])
    outcome = RolloutRewards(
      rewards: Array(repeating: 0, count: rows), values: Array(repeating: 0, count: rows),
      terminated: Array(repeating: false, count: rows), truncated: Array(repeating: false, count: rows),
      finalValues: Array(repeating: 0, count: rows), lastValues: Array(repeating: 0, count: count))
    (advantages, returns, values) = (
      Tensor(uninitialized: [rows]), Tensor(uninitialized: [rows]), Tensor(uninitialized: [rows])
    )
  }

  /// Steps taken of the T: fewer where all episodes ended before.
  var taken: Int

  var rows: Int { taken * count }

  /// Estimates values, advantages and returns: one pass of the value function over all observations at once.
  ///
  /// - Parameter usesValues: false for V = 0, which makes the advantages sums of rewards.
  func estimate(with agent: Agent, last: Tensor, discount: Float, lambda: Float, usesValues: Bool = true) {
    func valuesOf(_ observations: Tensor) -> Tensor {
      usesValues ? agent.network.values(observations) : .zeros([observations.shape[0]])
    }
    values = valuesOf(observations[0..<rows])
    var outcome = taken == steps ? self.outcome : self.outcome.prefix(rows)
    outcome.values = values.array()
    outcome.lastValues = valuesOf(last).array()
    if !finalRows.isEmpty {
      let finals = valuesOf(Tensor(finalObservations, [finalRows.count, agent.architecture.observationCount]))
      for (i, row) in finalRows.enumerated() { outcome.finalValues[row] = finals.floats[i] }
    }
    let estimated = generalizedAdvantages(outcome, discount: discount, lambda: lambda)
    advantages = Tensor(estimated)
    returns = Tensor(zip(estimated, outcome.values).map { $0 + $1 })
  }

  /// 1 - Var(R - V) / Var(R): how well the value function predicted the returns. 1 is perfect, 0 is no better
  /// than a constant, less is worse than a constant; NaN if all returns are equal.
  var explainedVariance: Double {
    let (returns, values) = (returns.array(of: Float.self), values.array(of: Float.self))
    func variance(_ x: [Double]) -> Double {
      let mean = x.reduce(0, +) / Double(x.count)
      return x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count)
    }
    let spread = variance(returns.map(Double.init))
    return spread == 0 ? .nan : 1 - variance(zip(returns, values).map { Double($0) - Double($1) }) / spread
  }
}

extension RolloutRewards {
  fileprivate func prefix(_ rows: Int) -> RolloutRewards {
    RolloutRewards(
      rewards: Array(rewards[..<rows]), values: Array(values[..<rows]), terminated: Array(terminated[..<rows]),
      truncated: Array(truncated[..<rows]), finalValues: Array(finalValues[..<rows]), lastValues: lastValues)
  }
}

/// The results of a rollout of T steps in N environments, for generalized advantage estimation. All [T, N].
public struct RolloutRewards {
  public var rewards: [Float]
  /// V of the observation before each action.
  public var values: [Float]
  /// The step terminated the episode: the value after it is 0.
  public var terminated: [Bool]
  /// The step was the last of an episode that was cut off: the value after it is V of the final observation.
  public var truncated: [Bool]
  /// V of the final observation where an episode was cut off; ignored elsewhere.
  public var finalValues: [Float]
  /// [N]: V of the observations after the last step.
  public var lastValues: [Float]

  public init(
    rewards: [Float], values: [Float], terminated: [Bool], truncated: [Bool], finalValues: [Float],
    lastValues: [Float]
  ) {
    (self.rewards, self.values, self.terminated) = (rewards, values, terminated)
    (self.truncated, self.finalValues, self.lastValues) = (truncated, finalValues, lastValues)
  }
}

/// Generalized advantage estimation (Schulman et al. 2016, equation 16): an exponential average of the advantages
/// estimated from 1, 2, 3, … rewards before bootstrapping from V.
///
///     δ_t = r_t + γ·V(s_{t+1}) - V(s_t)
///     Â_t = δ_t + γλ·Â_{t+1}
///
/// An episode's end stops the sum. After a termination nothing follows, so V(s_{t+1}) = 0; after a truncation the
/// episode might have continued, so V(s_{t+1}) is that of its final observation, not of the next episode's first one.
///
/// - Parameters:
///   - rollout: [T, N]: rewards, values, and the ends of episodes.
///   - discount: γ.
///   - lambda: λ; 0 trusts V after one reward (temporal difference), 1 uses all rewards (Monte Carlo).
/// - Returns: Â, [T, N]. Â + V is the target of V.
public func generalizedAdvantages(_ rollout: RolloutRewards, discount: Float, lambda: Float) -> [Float] {
  let (total, n) = (rollout.rewards.count, rollout.lastValues.count)
  precondition(
    n > 0 && total % n == 0 && rollout.values.count == total && rollout.terminated.count == total
      && rollout.truncated.count == total && rollout.finalValues.count == total,
    "generalizedAdvantages: \(total) rewards, \(rollout.values.count) values, \(n) last values")
  var advantages = [Float](repeating: 0, count: total)
  for i in 0..<n {
    var nextValue = rollout.lastValues[i]
    var advantage: Float = 0
    for t in stride(from: total - n + i, through: i, by: -n) {
      if rollout.terminated[t] {
        (nextValue, advantage) = (0, 0)
      } else if rollout.truncated[t] {
        (nextValue, advantage) = (rollout.finalValues[t], 0)
      }
      let delta = rollout.rewards[t] + discount * nextValue - rollout.values[t]
      advantage = delta + discount * lambda * advantage
      advantages[t] = advantage
      nextValue = rollout.values[t]
    }
  }
  return advantages
}

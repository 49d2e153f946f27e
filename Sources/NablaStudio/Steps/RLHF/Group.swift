import NablaNN

extension RLHFStep {
  /// The advantages of a group of completions whose rewards the reader edits.
  struct Group: Encodable {
    var rewards: [Double]
    var mean: Double
    /// Â = (r - mean)/(standard deviation + ε), as in GRPO.
    var advantages: [Double]
    /// Â = r - mean, as in Dr. GRPO.
    var centered: [Double]
    /// Whether all rewards are equal, so that the group teaches nothing.
    var isFlat: Bool
  }

  static let groupSize = 6

  static let group = Computation.answer("group") { query, _ in
    let rewards = try query.numbers(
      "rewards", in: -10...10, atMost: groupSize, default: [1, 0, 0, 1, 0, 0.5])
    if rewards.count != groupSize {
      throw StudioError("rewards must be \(groupSize) numbers, not \(rewards.count)")
    }
    let scaled = groupAdvantages(rewards, groupSize: groupSize, scaling: .group)
    let centered = groupAdvantages(rewards, groupSize: groupSize, scaling: .none)
    return Group(
      rewards: rewards, mean: rewards.reduce(0, +) / Double(groupSize), advantages: scaled.advantages.map(Double.init),
      centered: centered.advantages.map(Double.init), isFlat: scaled.groupsWithoutVariance > 0)
  }
}

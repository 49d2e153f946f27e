import NablaNN
import NablaTraining

/// Statistics of rollouts and their rewards, under TRL's names.
struct RolloutStatistics {
  let metrics: [Metric]
  let meanReward: Double
  let meanLength: Double

  /// - Parameters:
  ///   - rewards: by function, [function][rollout].
  ///   - names: of the functions.
  ///   - groupSize: rollouts per prompt; 1 omits group statistics.
  init(_ rollouts: [Rollout], rewards: [[Double]], names: [String], groupSize: Int) {
    let totals = rollouts.map(\.reward)
    let lengths = rollouts.map { Double($0.tokens.count) }
    let ended = zip(rollouts, lengths).filter { !$0.0.isTruncated }.map(\.1)
    (meanReward, meanLength) = (mean(totals), mean(lengths))
    var metrics = [Metric("reward", meanReward)]
    if groupSize > 1 {
      let groups = stride(from: 0, to: totals.count, by: groupSize).map { totals[$0..<$0 + groupSize] }
      let silent = groups.filter { group in group.allSatisfy { $0 == group.first } }.count
      metrics += [
        Metric("reward_std", mean(groups.map { deviation(Array($0)) })),
        Metric("frac_reward_zero_std", Double(silent) / Double(max(groups.count, 1))),
      ]
    }
    for (i, (name, values)) in zip(names, rewards).enumerated() {
      // Two functions may have the same name, but metrics may not.
      let count = names[..<i].filter { $0 == name }.count
      let label = count == 0 ? name : "\(name)-\(count + 1)"
      metrics += [Metric("rewards/\(label)/mean", mean(values)), Metric("rewards/\(label)/std", deviation(values))]
    }
    metrics += [
      Metric("completions/mean_length", meanLength), Metric("completions/min_length", lengths.min() ?? 0),
      Metric("completions/max_length", lengths.max() ?? 0),
      Metric("completions/clipped_ratio", 1 - Double(ended.count) / Double(max(lengths.count, 1))),
      Metric("completions/mean_terminated_length", mean(ended)),
    ]
    self.metrics = metrics
  }
}

private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(values.count, 1)) }

/// The sample standard deviation.
private func deviation(_ values: [Double]) -> Double {
  let center = mean(values)
  return (values.reduce(0) { $0 + ($1 - center) * ($1 - center) } / Double(max(values.count - 1, 1))).squareRoot()
}

import NablaReport
import NablaTraining

extension GRPO {
  public var summary: RunSummary { tuned.summary(setup.training.tuning, data: setup.data.files) }

  public func writeReport(in run: RunFolder) throws { try Self.report(of: run).write(to: run) }

  /// The page of a run.
  ///
  /// - Throws: What reading the run's files throws.
  public static func report(of folder: RunFolder) throws -> ReportPage {
    try ReportPage(
      tuning: folder, (try? folder.configuration(as: Setup.self))?.training.tuning,
      objective: [.groupRelative, .groupAdvantage],
      loss: LossChart(caption: "Its value means little, since advantages average to zero; watch the reward instead."),
      comparisons: [
        ComparisonChart(
          id: "reward", title: "Reward", caption: "Mean over completions; greedy decoding for held-out prompts.",
          axis: "reward",
          lines: [.init("reward", "training", color: "accent"), .init("eval_reward", "held out", color: "second")],
          isSmoothed: true)
      ],
      known: [
        MetricChart(
          name: "kl", id: "kl", title: "KL to the reference",
          caption: "How far the policy has moved, in nats per token.",
          axis: "nats", color: "third", isSmoothed: true),
        MetricChart(
          name: "completions/mean_length", id: "length", title: "Completion length", caption: "Mean, in tokens.",
          axis: "tokens", color: "accent", isSmoothed: true),
        MetricChart(
          name: "frac_reward_zero_std", id: "silent", title: "Groups with equal rewards",
          caption: "Fraction of prompts whose completions all got the same reward: they contribute no gradient.",
          axis: "fraction", color: "second", isSmoothed: true),
      ])
  }
}

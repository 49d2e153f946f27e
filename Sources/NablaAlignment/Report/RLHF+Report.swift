import NablaReport
import NablaTraining

extension RLHF {
  public var summary: RunSummary { tuned.summary(setup.training.tuning, data: setup.data.files) }

  public func writeReport(in run: RunFolder) throws { try Self.report(of: run).write(to: run) }

  /// The page of a run.
  ///
  /// - Throws: What reading the run's files throws.
  public static func report(of folder: RunFolder) throws -> ReportPage {
    try ReportPage(
      tuning: folder, (try? folder.configuration(as: Setup.self))?.training.tuning,
      objective: [.proximalPolicy, .tokenReward],
      loss: LossChart(caption: "Policy and value together; its value means little: watch the scores instead."),
      comparisons: [
        ComparisonChart(
          id: "scores", title: "Score",
          caption:
            "Mean over completions; greedy decoding for held-out prompts. With the penalty it is what PPO maximizes.",
          axis: "score",
          lines: [
            .init("objective/scores", "training", color: "accent"), .init("eval_reward", "held out", color: "second"),
            .init("objective/rlhf_reward", "less the KL penalty", color: "third"),
          ], isSmoothed: true)
      ],
      known: [
        MetricChart(
          name: "objective/kl", id: "kl", title: "KL to the reference",
          caption: "How far the policy has moved, in nats per completion.", axis: "nats", color: "third",
          isSmoothed: true),
        MetricChart(
          name: "completions/mean_length", id: "length", title: "Completion length", caption: "Mean, in tokens.",
          axis: "tokens", color: "accent", isSmoothed: true),
        MetricChart(
          name: "val/explained_variance", id: "explained", title: "Explained variance",
          caption: "How much of the returns the value function foresaw; 1 is all.", axis: "fraction", color: "second",
          isSmoothed: true),
      ])
  }
}

import NablaReport
import NablaTraining

extension DPO {
  public var summary: RunSummary { tuned.summary(setup.training.tuning, data: setup.data.files) }

  public func writeReport(in run: RunFolder) throws { try Self.report(of: run).write(to: run) }

  /// The page of a run.
  ///
  /// - Throws: What reading the run's files throws.
  public static func report(of folder: RunFolder) throws -> ReportPage {
    let training = (try? folder.configuration(as: Setup.self))?.training
    let isSigmoid = training.map { $0.loss == .sigmoid } ?? true
    return try ReportPage(
      tuning: folder, training?.tuning,
      objective: isSigmoid ? [.directPreference, .implicitReward] : [.implicitReward],
      loss: LossChart(
        caption: isSigmoid
          ? "It begins at ln 2 = 0.693, where the policy is its reference." : "Loss \(training!.loss.rawValue)."),
      comparisons: [
        ComparisonChart(
          id: "rewards", title: "Implicit rewards",
          caption: "Both may fall: what is learned is their distance.", axis: "reward",
          lines: [
            .init("rewards/chosen", "chosen", color: "accent"), .init("rewards/rejected", "rejected", color: "second"),
            .init("eval_rewards/chosen", "chosen, held out", color: "third"),
            .init("eval_rewards/rejected", "rejected, held out", color: "alert"),
          ], isSmoothed: true),
        ComparisonChart(
          id: "logps", title: "Log-probabilities", caption: "Of whole completions, in nats.", axis: "nats",
          lines: [
            .init("logps/chosen", "chosen", color: "accent"), .init("logps/rejected", "rejected", color: "second"),
            .init("eval_logps/chosen", "chosen, held out", color: "third"),
            .init("eval_logps/rejected", "rejected, held out", color: "alert"),
          ], isSmoothed: true),
        ComparisonChart(
          id: "margins", title: "Reward margins", caption: "Reward of the chosen completion minus the rejected one's.",
          axis: "margin",
          lines: [
            .init("rewards/margins", "training", color: "accent"),
            .init("eval_rewards/margins", "held out", color: "second"),
          ], isSmoothed: true),
        ComparisonChart(
          id: "accuracies", title: "Accuracy of pairs",
          caption: "Share of pairs whose chosen completion has the larger reward.", axis: "share",
          lines: [
            .init("rewards/accuracies", "training", color: "accent"),
            .init("eval_rewards/accuracies", "held out", color: "second"),
          ], isSmoothed: true),
      ],
      known: [
        MetricChart(
          name: "eval_calibration_error", id: "calibration", title: "Calibration error",
          caption: "How far σ of the margin is from the share of pairs it is right on; 0 is best.", axis: "error",
          color: "second"),
        MetricChart(
          name: "eval_kl", id: "kl", title: "KL to the reference",
          caption: "Of the next token on held-out completions, in nats.",
          axis: "nats", color: "third"),
      ])
  }
}

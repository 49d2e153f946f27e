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
          ? "Starts at ln 2 = 0.693, where the policy equals the reference." : "Loss \(training!.loss.rawValue)."),
      comparisons: [
        .ofPairs(
          "rewards", id: "rewards", title: "Implicit rewards",
          caption: "Both may fall; DPO optimizes the margin between them.", axis: "reward"),
        .ofPairs(
          "logps", id: "logps", title: "Log-probabilities", caption: "Of whole completions, in nats.", axis: "nats"),
        .margins, .accuracies,
      ],
      known: [
        .calibration,
        MetricChart(
          name: "eval_kl", id: "kl", title: "KL to the reference",
          caption: "Of the next token on held-out completions, in nats.", axis: "nats", color: "third"),
      ])
  }
}

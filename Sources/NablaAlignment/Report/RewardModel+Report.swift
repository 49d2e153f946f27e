import NablaReport
import NablaTraining

extension RewardModel {
  public var summary: RunSummary { tuned.summary(setup.training.tuning, data: setup.data.files) }

  public func writeReport(in run: RunFolder) throws { try Self.report(of: run).write(to: run) }

  /// The page of a run.
  ///
  /// - Throws: What reading the run's files throws.
  public static func report(of folder: RunFolder) throws -> ReportPage {
    try ReportPage(
      tuning: folder, (try? folder.configuration(as: Setup.self))?.training.tuning, objective: [.bradleyTerry],
      loss: LossChart(caption: "Starts at ln 2 = 0.693, where all rewards are 0."),
      comparisons: [
        ComparisonChart(
          id: "margins", title: "Reward margins", caption: "Reward of the chosen completion minus the rejected one's.",
          axis: "margin",
          lines: [.init("margin", "training", color: "accent"), .init("eval_margin", "held out", color: "second")],
          isSmoothed: true),
        ComparisonChart(
          id: "accuracies", title: "Accuracy of pairs",
          caption: "Share of pairs whose chosen completion has the larger reward, with a 95 % interval.", axis: "share",
          lines: [
            .init("accuracy", "training", color: "accent"), .init("eval_accuracy", "held out", color: "second"),
            .init("eval_accuracy_low", "lower end", color: "muted"),
            .init("eval_accuracy_high", "upper end", color: "muted"),
          ], isSmoothed: true),
      ], known: [.calibration], writesText: false)
  }
}

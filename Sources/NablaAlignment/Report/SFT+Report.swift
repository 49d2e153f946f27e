import NablaReport
import NablaTraining

extension SFT {
  public var summary: RunSummary { tuned.summary(setup.training.tuning, data: setup.data.files) }

  public func writeReport(in run: RunFolder) throws { try Self.report(of: run).write(to: run) }

  /// The page of a run.
  ///
  /// - Throws: What reading the run's files throws.
  public static func report(of folder: RunFolder) throws -> ReportPage {
    try ReportPage(
      tuning: folder, (try? folder.configuration(as: Setup.self))?.training.tuning, objective: [.supervised],
      loss: LossChart(caption: "Mean cross-entropy of the completions' tokens, in nats.", axis: "nats per token"),
      known: [
        MetricChart(
          name: "eval_entropy", id: "entropy", title: "Entropy",
          caption: "Mean entropy of the next token on held-out rows, in nats.", axis: "nats", color: "third")
      ])
  }
}

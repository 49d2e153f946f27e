import NablaReport
import NablaTraining

extension RewardModel {
  public var summary: RunSummary { tuned.summary(setup.training.tuning, data: setup.data.files) }

  public func writeReport(in run: RunFolder) throws { try Self.report(of: run).write(to: run) }

  /// The page of a run.
  ///
  /// - Throws: What reading the run's files throws.
  public static func report(of folder: RunFolder) throws -> ReportPage {
    let training = (try? folder.configuration(as: Setup.self))?.training
    return try ReportPage(
      tuning: folder, training?.tuning, objective: [.bradleyTerry],
      loss: LossChart(caption: "It begins near ln 2 = 0.693, where the model tells no pair apart."),
      comparisons: [
        .ofPairs(
          "rewards", id: "rewards", title: "Rewards", caption: "What is learned is their distance.", axis: "reward"),
        .margins, .accuracies,
      ], known: [.calibration], writesText: false)
  }
}

extension Equation {
  /// Bradley and Terry 1952; Ouyang et al. 2022, equation 1.
  static let bradleyTerry = Equation(
    #"\mathcal{L} = -\mathbb{E}\left[\ln \sigma\!\left(r_\theta(x, y_w) - r_\theta(x, y_l)\right)\right]"#,
    "The Bradley-Terry loss (Ouyang et al. 2022): the chosen completion w has the larger reward than the rejected l.")
}

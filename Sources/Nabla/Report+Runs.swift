extension ReportPage {
  /// The page of a run, with the sections of the domain whose command made it; of other runs, the parts that every run
  /// has.
  ///
  /// - Throws: `ReportError` when an analysis in the folder is malformed, `SweepError` for an incomplete sweep, and
  ///   what reading the run's files throws.
  public static func page(of run: RunFolder) throws -> ReportPage {
    switch run.command {
    case Pretraining.command: try Pretraining.report(of: run)
    case SFT.command: try SFT.report(of: run)
    case RewardModel.command: try RewardModel.report(of: run)
    case DPO.command: try DPO.report(of: run)
    case GRPO.command: try GRPO.report(of: run)
    case RLHF.command: try RLHF.report(of: run)
    case PolicyTrainer.command:
      PolicyStudy.isStudy(run.path) ? try PolicyStudy.report(of: run) : try PolicyTrainer.report(of: run)
    case DiffusionTrainer.command: try DiffusionTrainer.report(of: run)
    case Sweep.command: try Sweep.report(of: run)
    default: try ReportPage(of: run)
    }
  }
}

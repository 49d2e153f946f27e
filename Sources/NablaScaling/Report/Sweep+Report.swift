import NablaReport
import NablaTraining

extension Sweep {
  /// The page of a sweep whose runs are complete; without the outcome until the test is too.
  ///
  /// - Throws: ``SweepError/incomplete(run:)``, ``SweepError/noLaw(alpha:beta:points:)``, and what reading the files of
  ///   the runs throws.
  public static func report(of folder: RunFolder) throws -> ReportPage {
    let setup = try folder.configuration(as: Setup.self)
    let runs = try setup.plan.runs.enumerated().map { (index, planned) -> SweepRun in
      let name = runName(index)
      let path = "\(folder.path)/\(name)"
      guard let run = try SweepRun(completeAt: path, name: name, planned) else {
        throw SweepError.incomplete(run: path)
      }
      return run
    }
    var result = try SweepResult(setup: setup, folder: folder.path, runs: runs)
    result.test = try SweepRun(completeAt: "\(folder.path)/test", name: "test", setup.plan.test)
    return try ScalingReport(result).page()
  }
}

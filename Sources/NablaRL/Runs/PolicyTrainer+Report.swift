import NablaFormats
import NablaReport
import NablaTraining

extension PolicySetup {
  /// "CartPole-v1, ppo, 8 environments".
  var summary: RunSummary {
    let count = settings.environmentCount
    return RunSummary(model: "\(environment), \(algorithm), \(count) environment\(count == 1 ? "" : "s")")
  }
}

extension PolicyTrainer {
  public var summary: RunSummary {
    var summary = setup.summary
    summary.parameterCount = learner.agent.network.parameterCount
    return summary
  }

  public func writeReport(in run: RunFolder) throws { try Self.report(of: run).write(to: run) }

  /// The page of a run: curves, the objective, what was learned, and an episode.
  ///
  /// - Throws: `ReportError` when `policy-analysis.json` is malformed, and what reading the run's files throws.
  public static func report(of folder: RunFolder) throws -> ReportPage {
    let run = try RunContents(folder)
    let setup = try? folder.configuration(as: Setup.self)
    let analysis = try PolicyAnalysis(contentsOfFile: PolicyAnalysis.path(in: folder))
    let agents = analysis.map { [ShownAgent(name: run.name, analysis: $0)] } ?? []
    let path = shellQuoted(run.path)
    // The tool has no other environments.
    let isForTool = setup?.isInBuiltInEnvironment ?? false
    return ReportPage(
      run,
      [
        run.summarySection(
          summary: setup?.summary, facts: run.policyFacts,
          commands: isForTool
            ? [
              NextCommand("Evaluate", "nabla rl evaluate \(path)"),
              NextCommand("Continue", "nabla rl train --resume \(path)"),
            ] : []),
        run.policyCurves(), objectiveSection(agents, algorithms: setup.map { [$0.algorithm] } ?? []),
        try policySection(agents), try replaySection(analysis), run.samplesSection(), run.configurationSection(),
      ])
  }
}

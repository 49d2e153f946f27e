import ArgumentParser
import Nabla

struct PolicyTrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a policy by reinforcement learning.",
    usage: "nabla rl train --environment <name> [options]\nnabla rl train --resume <run>",
    discussion: """
      Settings default to a preset for the environment and the algorithm; 'nabla rl list' lists both. The run \
      folder contains the configuration, metrics under the names of CleanRL and Stable-Baselines3, checkpoints, and a \
      report to open in a browser. With --seeds, or several algorithms, each has its own run, and the report compares \
      them.

      Ctrl-C (or SIGTERM) finishes the update, saves, prints how to resume, and exits with 0; a second one exits \
      immediately.
      """)

  @OptionGroup var options: PolicyOptions

  func validate() throws { if options.run.resume == nil { _ = try options.setups() } }

  func run() throws {
    options.compute.apply()
    if let resume = options.run.resume {
      try checkEnvironment(of: resume)
      if PolicyStudy.isStudy(resume) {
        try options.refuseStopAfter()
        return try train(PolicyStudy(resuming: resume))
      }
      let display = RunDisplay("rl", options.run)
      let run = try PolicyTrainer.resume(resume, observe: display.observe)
      display.message("resuming \(resume) after step \(run.trainer.progress.done) of \(run.trainer.progress.total)")
      return try train(run, display)
    }
    let setups = try options.setups()
    // Seeds count up from the given one.
    let first = setups[0].settings.seed
    let seeds = (0..<UInt64(options.seeds)).map { first &+ $0 }
    if setups.count > 1 || seeds.count > 1 {
      try train(PolicyStudy(setups, seeds: seeds, output: options.run.output))
    } else {
      let display = RunDisplay("rl \(setups[0].algorithm)", options.run)
      try train(TrainingRun(PolicyTrainer(setups[0]), at: options.run.output), display)
    }
  }

  /// Rejects an `--environment` that is not the run's own.
  private func checkEnvironment(of path: String) throws {
    guard let asked = options.environment else { return }
    struct Named: Decodable { var environment: String }
    let own = try RunFolder.open(path).configuration(as: Named.self).environment
    if own != asked {
      throw TrainingFailure(
        description: "\(path) was trained in \(own), not in \(asked): leave out --environment, or start a new run in "
          + "another folder")
    }
  }

  private func train(_ run: TrainingRun<PolicyTrainer>, _ display: RunDisplay) throws {
    let (setup, path) = (run.trainer.setup, run.folder.path)
    display.message(
      "\(setup.algorithm) in \(setup.environment): \(grouped(run.trainer.progress.total)) steps, "
        + "\(setup.settings.environmentCount) environments, seed \(setup.settings.seed)")
    display.message("run: \(path)")
    guard try display.train(run, command: "rl train") else { return }
    let greedy = try run.trainer.learner.agent.evaluate(.named(setup.environment), episodes: 20, seed: 1_000_000)
    display.message(
      """
      greedy: \(rounded(greedy.meanReturn)) ± \(rounded(greedy.standardDeviation)) over 20 new episodes
      report: \(path)/report.html (open it in a browser)
      next:   \(toolName) rl evaluate \(shellQuoted(path))
      """)
  }

  private func train(_ study: PolicyStudy) throws {
    let (path, count) = (study.run.path, study.setup.members.count)
    let messages = RunDisplay("rl", options.run)
    messages.message("\(count) runs in \(study.setup.environment)\nrun: \(path)")
    var shown: (number: Int, display: RunDisplay)?
    let isFinished = try study.train(until: { StopSignal.isRequested }) { member, number, event in
      if shown?.number != number {
        shown?.display.progress.finish()
        let title = "rl \(member.setup.algorithm) seed \(member.setup.settings.seed) (\(number)/\(count))"
        shown = (number, RunDisplay(title, options.run))
      }
      shown?.display.observe(event)
    }
    shown?.display.progress.finish()
    for (algorithm, returns) in try study.results() {
      let quartiles = returns.interquartileRange
      let interval = returns.meanInterval.map {
        " (95 % interval \(rounded($0.lowerBound)) to \(rounded($0.upperBound)))"
      }
      messages.message(
        "\(algorithm): mean return \(rounded(returns.mean))\(interval ?? ""), interquartile range "
          + "\(rounded(quartiles.lowerBound)) to \(rounded(quartiles.upperBound)), worst \(rounded(returns.values[0])), "
          + "\(returns.values.count) \(returns.values.count == 1 ? "seed" : "seeds")")
    }
    if !isFinished, !StopSignal.isRequested {
      throw TrainingFailure(
        description: "not every run finished, as the warnings say; the report is of the others: \(path)/report.html")
    }
    messages.message(
      isFinished
        ? "report: \(path)/report.html (open it in a browser)"
        : "stopped and saved; continue with:\n  \(toolName) rl train --resume \(shellQuoted(path))")
  }
}

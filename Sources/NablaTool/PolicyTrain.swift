import ArgumentParser
import Nabla

struct PolicyTrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a policy by reinforcement learning.",
    usage: "nabla rl train --environment <name> [options]\nnabla rl train --resume <run>",
    discussion: """
      Settings start from a preset for the environment and the algorithm; 'nabla rl list' names both. The run folder \
      gets the configuration, metrics by the names of CleanRL and Stable-Baselines3, checkpoints, and a report to open \
      in a browser. With --seeds, or several algorithms, each gets a run of its own and the report compares them.

      Ctrl-C (or SIGTERM) finishes the update, saves, says how to go on, and exits 0; a second one exits at once.
      """)

  @OptionGroup var options: PolicyOptions

  func validate() throws { if options.resume == nil { _ = try options.setups() } }

  func run() throws {
    options.compute.apply()
    StopSignal.install()
    let messages = display("rl")
    if let resume = options.resume {
      try checkEnvironment(of: resume)
      if PolicyStudy.isStudy(resume) { return try train(PolicyStudy(resuming: resume), messages) }
      let training = try PolicyTraining(resuming: resume, message: messages.message)
      messages.message("resuming \(resume) after step \(training.step) of \(training.learner.totalSteps)")
      return try train(training, messages)
    }
    let setups = try options.setups()
    let seeds = options.seedList
    if setups.count > 1 || seeds.count > 1 {
      try train(PolicyStudy(setups, seeds: seeds, output: options.output), messages)
    } else {
      var setup = setups[0]
      setup.settings.seed = seeds[0]
      try train(PolicyTraining(setup, output: options.output), messages)
    }
  }

  private func display(_ title: String) -> ProgressDisplay {
    ProgressDisplay(title: title, style: options.json ? .json : .automatic)
  }

  /// Refuses an `--environment` that is not the run's own.
  private func checkEnvironment(of path: String) throws {
    guard let asked = options.environment else { return }
    struct Named: Decodable { var environment: String }
    let own = try RunFolder.open(path).configuration(as: Named.self).environment
    if own != asked { throw PolicyTrainingError.otherEnvironment(path: path, environment: own, asked: asked) }
  }

  private func train(_ training: PolicyTraining, _ messages: ProgressDisplay) throws {
    let (setup, path) = (training.setup, training.run.path)
    messages.message(
      "\(setup.algorithm) in \(setup.environment): \(grouped(training.learner.totalSteps)) steps, "
        + "\(setup.settings.environmentCount) environments, seed \(setup.settings.seed)")
    messages.message("run: \(path)")
    let progress = display("rl \(setup.algorithm)")
    let outcome: PolicyTraining.Outcome
    do {
      outcome = try training.train(progress: progress, stopAfter: options.stopAfter)
    } catch {
      progress.finish()
      try explain(error, training)
    }
    let returns = training.returns
    if progress.isUnicode, returns.count > 1, let first = returns.first, let last = returns.last {
      messages.message("return: \(rounded(first)) \(sparkline(returns, width: 48)) \(rounded(last))")
    } else if let last = returns.last {
      messages.message("return: \(rounded(last)), the mean of the last 100 episodes")
    }
    if case .stopped(let step) = outcome {
      messages.message(
        "stopped and saved after step \(step) of \(training.learner.totalSteps); go on with:\n"
          + "  \(toolName) rl train --resume \(shellQuoted(path))")
      return
    }
    let greedy = try training.learner.agent.evaluate(.named(setup.environment), episodes: 20, seed: 1_000_000)
    messages.message(
      """
      greedy: \(rounded(greedy.meanReturn)) ± \(rounded(greedy.standardDeviation)) over 20 new episodes
      report: \(path)/report.html (open it in a browser)
      next:   \(toolName) rl evaluate \(shellQuoted(path))
      """)
  }

  private func train(_ study: PolicyStudy, _ messages: ProgressDisplay) throws {
    let (path, count) = (study.run.path, study.setup.members.count)
    messages.message("\(count) runs in \(study.setup.environment)\nrun: \(path)")
    let isFinished = try study.train(
      progress: { member, number in
        display("rl \(member.setup.algorithm) seed \(member.setup.settings.seed) (\(number)/\(count))")
      }, message: messages.message)
    for (algorithm, returns) in try study.results() {
      let quartiles = returns.interquartileRange
      let interval = returns.meanInterval.map {
        " (95 % interval \(rounded($0.lowerBound)) to \(rounded($0.upperBound)))"
      }
      messages.message(
        "\(algorithm): mean return \(rounded(returns.mean))\(interval ?? ""), middle half "
          + "\(rounded(quartiles.lowerBound)) to \(rounded(quartiles.upperBound)), worst \(rounded(returns.values[0])), "
          + "\(returns.values.count) \(returns.values.count == 1 ? "seed" : "seeds")")
    }
    messages.message(
      isFinished
        ? "report: \(path)/report.html (open it in a browser)"
        : "stopped and saved; go on with:\n  \(toolName) rl train --resume \(shellQuoted(path))")
  }

  /// Passes the error on with what remains of the run; a new run that has nothing yet is removed.
  private func explain(_ error: any Error, _ training: PolicyTraining) throws -> Never {
    let path = training.run.path
    if let saved = try CheckpointStore.newestValid(in: training.run.checkpointsPath).checkpoint {
      throw TrainingFailure(
        description: "\(error)\nThe checkpoint of step \(saved.step) is good; go on from it with:\n"
          + "  \(toolName) rl train --resume \(shellQuoted(path))")
    }
    if options.resume == nil, training.step == 0 { try? removeTree(path) }
    throw error
  }
}

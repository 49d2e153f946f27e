import ArgumentParser
import Nabla

struct GRPOCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grpo", abstract: "Train a model with reward functions on its own completions (GRPO).",
    usage: """
      nabla grpo <model> --data <file> ... --reward <function> ... [options]
      nabla grpo --resume <run>
      """,
    discussion: """
      Samples several completions of each prompt, computes their rewards, and makes those more likely that are \
      better than the others of their prompt (group relative policy optimization). Data rows have a prompt, and \
      further columns for the reward functions.

      Reward functions:
        numeric, numeric:FIELD   1 if the final number is that of the row's answer ("answer" or another column)
        format:TAG,TAG           1 for elements in this order, <think> and <answer> by default
        length:LOW-HIGH          1 within a range of tokens; length:LOW-HIGH~TOLERANCE falls to 0 outside
        regex:PATTERN            1 if it matches somewhere
        json                     1 for one JSON object or array
        command:COMMAND          a shell command that reads a JSON line (prompt, completion, columns) and prints a number

      The run folder contains the configuration, metrics under TRL's names, checkpoints, sample completions \
      with rewards, a report to open in a browser, and at the end the adapter as a PEFT folder, or the model as a \
      Hugging Face folder.

      Ctrl-C (or SIGTERM) finishes the step, saves, prints how to resume, and exits with 0; a second one exits \
      immediately.
      """)

  @Argument(help: "Model: a GGUF file, a Hugging Face folder, or a run folder.", completion: .file())
  var model: String?
  @OptionGroup var options: GRPOOptions

  func validate() throws {
    try options.data.check(model: model, options.run, given: options.firstReward ?? options.settings.first)
    if options.run.resume == nil { _ = try options.rewards() }
    _ = try options.configuration()
  }

  func run() throws {
    options.compute.apply()
    let display = RunDisplay("grpo", options.run)
    let run: TrainingRun<GRPO>
    if let resume = options.run.resume {
      run = try GRPO.resume(resume, observe: display.observe)
      display.message("resuming \(resume) after step \(run.trainer.progress.done) of \(run.trainer.progress.total)")
    } else {
      let trainer = try GRPO(
        model!, data: options.data.description(), rewards: options.rewards(), options.configuration())
      run = try TrainingRun(trainer, at: options.run.output)
    }
    describe(run, display)
    guard try display.train(run, command: "grpo") else { return }
    if let reward = run.evaluation.first(where: { $0.name == "eval_reward" }) {
      display.message("held out: reward \(rounded(reward.value)) of greedy completions")
    }
    display.showResult(run.trainer.tuned, run.folder.path)
  }

  private func describe(_ run: TrainingRun<GRPO>, _ display: RunDisplay) {
    let (trainer, c) = (run.trainer, run.trainer.setup.training)
    display.message(
      "data: \(grouped(trainer.prompts.count)) prompts to train on, \(grouped(trainer.heldOut.count)) held out; "
        + "\(c.prompts) × \(c.groupSize) completions per rollout")
    display.describe(trainer.tuned, run: run.folder.path)
  }
}

/// Every flag of `nabla grpo`.
struct GRPOOptions: ParsableArguments {
  @OptionGroup var data: TuningDataOptions
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Reward functions; the reward is their weighted sum.", valueName: "function"))
  var reward: [String] = []
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Weight of each reward function (default: 1).", valueName: "x"))
  var rewardWeight: [Double] = []
  @OptionGroup var run: RunOptions
  @OptionGroup(title: "Training") var settings: SettingFlags<Settings>
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  struct Settings: SettingTable {
    static let flags = GRPO.Configuration.settings.map { SettingFlag($0, defaults: [("", GRPO.Configuration())]) }
  }

  /// The first reward flag that was given.
  var firstReward: String? { reward.isEmpty ? (rewardWeight.isEmpty ? nil : "--reward-weight") : "--reward" }

  func configuration() throws -> GRPO.Configuration {
    try namingFlags { () throws(ConfigurationError) in try GRPO.Configuration().changed(settings.given) }
  }

  func rewards() throws -> [RewardDescription] {
    if reward.isEmpty { throw ValidationError("give a reward function with --reward, such as --reward numeric") }
    if !rewardWeight.isEmpty, rewardWeight.count != reward.count {
      throw ValidationError("--reward-weight has \(rewardWeight.count) weights for \(reward.count) reward functions")
    }
    if let weight = rewardWeight.first(where: { !$0.isFinite }) {
      throw ValidationError("--reward-weight must be numbers, not \(weight)")
    }
    return try reward.enumerated().map { i, function in
      do { _ = try Reward(parsing: function) } catch { throw ValidationError("--reward: \(error)") }
      return RewardDescription(function, weight: rewardWeight.isEmpty ? 1 : rewardWeight[i])
    }
  }
}

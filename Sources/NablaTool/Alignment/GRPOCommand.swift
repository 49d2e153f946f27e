import ArgumentParser
import Nabla

struct GRPOCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grpo", abstract: "Improve a model by reward functions, on completions that it samples.",
    usage: """
      nabla grpo <model> --data <file> ... --reward <function> ... [options]
      nabla grpo --resume <run>
      """,
    discussion: """
      Samples several completions of each prompt, asks the reward functions, and makes those likelier that are better than \
      the others of their prompt (group relative policy optimization). Rows of data need a prompt, and what the reward \
      functions read: columns beside it.

      Reward functions:
        numeric, numeric:FIELD   1 for the number of the row's answer (from "answer", or another column)
        format:TAG,TAG           1 for elements in this order: <think> and <answer> unless others are named
        length:LOW-HIGH          1 within so many tokens; length:LOW-HIGH~TOLERANCE falls to 0 outside
        regex:PATTERN            1 where it matches somewhere
        json                     1 for one JSON object or array
        command:COMMAND          a shell command that reads a JSON line (prompt, completion, columns) and prints a number

      The run folder gets the configuration, metrics by TRL's names, checkpoints, completions with their rewards before \
      and after, a report to open in a browser, and at the end the adapter as a PEFT folder, or the model as a Hugging \
      Face folder.

      Ctrl-C (or SIGTERM) finishes the step, saves, says how to continue, and exits 0; a second one exits at once.
      """)

  @Argument(help: "A GGUF file, a Hugging Face folder, or a run folder.", completion: .file())
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
    let run = try display.open(options.run, resume: { try GRPO.resume($0, observe: $1) }) {
      try GRPO(model!, data: options.data.description(), rewards: options.rewards(), options.configuration())
    }
    describe(run, display)
    guard try display.train(run, command: "grpo") else { return }
    if let reward = run.evaluation.first(where: { $0.name == "eval_reward" }) {
      display.message("held out: reward \(rounded(reward.value)) of the likeliest completions")
    }
    display.showResult(run.trainer.tuned, run.folder.path)
  }

  private func describe(_ run: TrainingRun<GRPO>, _ display: RunDisplay) {
    let (trainer, c) = (run.trainer, run.trainer.setup.training)
    display.message(
      "data: \(grouped(trainer.prompts.count)) prompts to learn from, \(grouped(trainer.heldOut.count)) held out; "
        + "\(c.prompts) × \(c.groupSize) completions a rollout")
    display.describe(trainer.tuned, run: run.folder.path)
  }
}

/// Every flag of `nabla grpo`.
struct GRPOOptions: ParsableArguments {
  @OptionGroup var data: RowOptions
  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("Reward functions; their sum is what counts.", valueName: "function"))
  var reward: [String] = []
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("A weight for each reward function (default: 1 each).", valueName: "x"))
  var rewardWeight: [Double] = []
  @OptionGroup var run: RunOptions
  @OptionGroup(title: "Training") var settings: SettingFlags<TuningTable<GRPO.Configuration>>
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  /// The first flag about rewards that was given.
  var firstReward: String? { reward.isEmpty ? (rewardWeight.isEmpty ? nil : "--reward-weight") : "--reward" }

  func configuration() throws -> GRPO.Configuration { try settings.configuration() }

  func rewards() throws -> [RewardDescription] {
    if reward.isEmpty { throw ValidationError("name a reward function with --reward, such as --reward numeric") }
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

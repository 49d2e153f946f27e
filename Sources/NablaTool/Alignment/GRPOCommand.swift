import ArgumentParser
import Nabla

struct GRPOCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grpo", abstract: "Improve a model with rewards for its own completions (GRPO).",
    usage: """
      nabla grpo <model> --data <file> ... --reward <function> ... [options]
      nabla grpo --resume <run>
      """,
    discussion: """
      Samples several completions of each prompt, scores them with reward functions or a reward model, and raises the \
      probability of those that score above the average of their prompt (group relative policy optimization). Rows of \
      data need a prompt, and what the reward functions read: columns beside it.

      \(JudgeOptions.list)

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
    try options.data.check(model: model, options.run, given: options.judge.first ?? options.settings.first)
    if options.run.resume == nil { _ = try options.judge.description() }
    _ = try options.configuration()
  }

  func run() throws {
    options.compute.apply()
    let display = RunDisplay("grpo", options.run)
    let run = try display.open(options.run, resume: { try GRPO.resume($0, observe: $1) }) {
      try GRPO(
        model!, data: options.data.description(), judge: options.judge.description(), options.configuration())
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
  @OptionGroup var data: RowOptions
  @OptionGroup var judge: WeightedJudgeOptions
  @OptionGroup var run: RunOptions
  @OptionGroup(title: "Training") var settings: SettingFlags<TuningTable<GRPO.Configuration>>
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  func configuration() throws -> GRPO.Configuration { try settings.configuration() }
}

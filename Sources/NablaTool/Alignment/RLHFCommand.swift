import ArgumentParser
import Nabla

struct RLHFCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rlhf", abstract: "Improve a model by a reward model, or reward functions, with PPO.",
    usage: """
      nabla rlhf <model> --data <file> ... --reward-model <run> [options]
      nabla rlhf <model> --data <file> ... --reward <function> ... [options]
      nabla rlhf --resume <run>
      """,
    discussion: """
      Samples a completion of each prompt, scores it with a reward model ('nabla reward'), reward functions, or both, and \
      makes tokens likelier that led to more than the value function foresaw (proximal policy optimization). A penalty on \
      each token holds the policy near the model it starts from. Policy, reference, value function and a reward model \
      trained beside the same base share one base in memory.

      \(JudgeOptions.list)

      The run folder gets the configuration, metrics by TRL's names, checkpoints, completions with their rewards before \
      and after, a report to open in a browser, and at the end the adapter as a PEFT folder, or the model as a Hugging \
      Face folder.

      Ctrl-C (or SIGTERM) finishes the rollout, saves, says how to continue, and exits 0; a second one exits at once.
      """)

  @Argument(help: "A GGUF file, a Hugging Face folder, or a run folder.", completion: .file())
  var model: String?
  @OptionGroup var options: RLHFOptions

  func validate() throws {
    try options.data.check(model: model, options.run, given: options.judge.first ?? options.settings.first)
    if options.run.resume == nil { _ = try options.judge.description() }
    _ = try options.configuration()
  }

  func run() throws {
    options.compute.apply()
    let display = RunDisplay("rlhf", options.run)
    let run = try display.open(options.run, resume: { try RLHF.resume($0, observe: $1) }) {
      let training = try options.configuration()
      return try RLHF(
        RLHF.Setup(
          source: TunedModel.Source(model!, quantization: training.tuning.quantization),
          data: options.data.description(), judge: options.judge.description(), training: training),
        rewards: nil)
    }
    let (trainer, c) = (run.trainer, run.trainer.setup.training)
    display.message(
      "data: \(grouped(trainer.prompts.count)) prompts to learn from, \(grouped(trainer.heldOut.count)) held out; "
        + "\(c.prompts) completions a rollout")
    display.describe(trainer.tuned, run: run.folder.path)
    guard try display.train(run, command: "rlhf") else { return }
    if let reward = run.evaluation.first(where: { $0.name == "eval_reward" }) {
      display.message("held out: score \(rounded(reward.value)) of the likeliest completions")
    }
    display.showResult(trainer.tuned, run.folder.path)
  }
}

/// Every flag of `nabla rlhf`.
struct RLHFOptions: ParsableArguments {
  @OptionGroup var data: RowOptions
  @OptionGroup var judge: JudgeOptions
  @OptionGroup var run: RunOptions
  @OptionGroup(title: "Training") var settings: SettingFlags<TuningTable<RLHF.Configuration>>
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  func configuration() throws -> RLHF.Configuration { try settings.configuration() }
}

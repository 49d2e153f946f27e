import ArgumentParser
import Nabla

struct RLHFCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rlhf", abstract: "Improve a model with PPO and a reward model or reward functions.",
    usage: """
      nabla rlhf <model> --data <file> ... --reward-model <run> [options]
      nabla rlhf <model> --data <file> ... --reward <function> ... [options]
      nabla rlhf --resume <run>
      """,
    discussion: """
      Samples a completion of each prompt, scores it with a reward model ('nabla reward'), reward functions, or both, \
      and raises the probability of tokens with positive advantages (proximal policy optimization). A KL penalty \
      on each token keeps the policy near the initial model. Policy, reference, value function and a reward \
      model trained on the same base model share it in memory.

      \(JudgeOptions.list)

      The run folder contains the configuration, metrics under TRL's names, checkpoints, completions with their \
      rewards before and after training, a report to open in a browser, and at the end the adapter as a PEFT folder, \
      or the model as a Hugging Face folder.

      Ctrl-C (or SIGTERM) finishes the rollout, saves, prints how to resume, and exits with 0; a second one exits \
      immediately.
      """)

  @Argument(help: "Model: a GGUF file, a Hugging Face folder, or a run folder.", completion: .file())
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
          data: options.data.description(), training: training, judge: options.judge.description()),
        rewards: nil)
    }
    let (trainer, c) = (run.trainer, run.trainer.setup.training)
    display.message(
      "data: \(grouped(trainer.prompts.count)) training prompts, \(grouped(trainer.heldOut.count)) held out; "
        + "\(c.prompts) completions per rollout")
    display.describe(trainer.tuned, run: run.folder.path)
    guard try display.train(run, command: "rlhf") else { return }
    if let reward = run.evaluation.first(where: { $0.name == "eval_reward" }) {
      display.message("held out: score \(rounded(reward.value)) of greedy completions")
    }
    display.showResult(trainer.tuned, run.folder.path)
  }
}

/// Every flag of `nabla rlhf`.
struct RLHFOptions: ParsableArguments {
  @OptionGroup var data: RowOptions
  @OptionGroup var judge: WeightedJudgeOptions
  @OptionGroup var run: RunOptions
  @OptionGroup(title: "Training") var settings: SettingFlags<TuningTable<RLHF.Configuration>>
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  func configuration() throws -> RLHF.Configuration { try settings.configuration() }
}

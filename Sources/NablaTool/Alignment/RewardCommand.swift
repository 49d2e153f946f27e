import ArgumentParser
import Nabla

struct RewardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reward", abstract: "Train a reward model on preferences.",
    usage: "nabla reward <model> --data <file> ... [options]\nnabla reward --resume <run>",
    discussion: """
      Trains a scalar head on a prompt and its completion, with an adapter on the frozen model or, with --adapter \
      none, the whole model, so that the chosen completion of a pair gets the higher reward (Bradley and Terry). \
      The rows are audited first; pairs longer than the maximum length are dropped, because the reward is read at the \
      last token, unless --truncation keep-end shortens their prompts.

      The run folder contains the configuration, metrics, checkpoints, held-out pairs with their rewards, a report to \
      open in a browser, and at the end model/, a Hugging Face folder for AutoModelForSequenceClassification. 'nabla \
      rlhf' and 'nabla compare' take the run as --reward-model.

      Ctrl-C (or SIGTERM) finishes the step, saves, prints how to resume, and exits with 0; a second one exits \
      immediately.
      """)

  @Argument(help: "Model: a GGUF file, a Hugging Face folder, or a run folder.", completion: .file())
  var model: String?
  @OptionGroup var options: TuningOptions<RewardModel.Configuration>

  func validate() throws {
    try options.check(model: model)
  }

  func run() throws {
    options.compute.apply()
    let display = RunDisplay("reward", options.run)
    let run = try display.open(options.run, resume: { try RewardModel.resume($0, observe: $1) }) {
      try RewardModel(model!, data: options.data.description(), options.configuration())
    }
    let trainer = run.trainer
    display.describe(trainer.tuned, trainer.data, run: run.folder.path)
    guard try display.train(run, command: "reward") else { return }
    let scores = Dictionary(uniqueKeysWithValues: run.evaluation.map { ($0.name, $0.value) })
    if let accuracy = scores["eval_accuracy"], let low = scores["eval_accuracy_low"],
      let high = scores["eval_accuracy_high"], let error = scores["eval_calibration_error"]
    {
      display.message(
        "held out: \(rounded(100 * accuracy)) % accuracy (95 % interval \(rounded(100 * low)) to "
          + "\(rounded(100 * high))), calibration error \(rounded(error))")
    }
    display.message(
      """
      model:  \(run.folder.path)/model
      report: \(run.folder.path)/report.html (open it in a browser)
      next:   \(toolName) rlhf \(shellQuoted(trainer.setup.source.base)) --reward-model \
      \(shellQuoted(run.folder.path)) --data prompts.jsonl
      """)
  }
}

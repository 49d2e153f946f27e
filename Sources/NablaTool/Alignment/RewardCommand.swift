import ArgumentParser
import Nabla

struct RewardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reward", abstract: "Train a reward model on preferences.",
    usage: "nabla reward <model> --data <file> ... [options]\nnabla reward --resume <run>",
    discussion: """
      Trains a head that makes one number of a prompt and a completion, with an adapter beside the frozen model or with \
      --adapter none all of it, so that the completion people chose of a pair has the larger number (Bradley and Terry). \
      The rows are audited first; pairs longer than the maximum length are left out, because the last token is scored.

      The run folder gets the configuration, metrics, checkpoints, held-out pairs with their rewards, a report to open \
      in a browser, and at the end model/, a Hugging Face folder for AutoModelForSequenceClassification. 'nabla rlhf' \
      and 'nabla compare' take the run as --reward-model.

      Ctrl-C (or SIGTERM) finishes the step, saves, says how to continue, and exits 0; a second one exits at once.
      """)

  @Argument(help: "A GGUF file, a Hugging Face folder, or a run folder.", completion: .file())
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
    if trainer.leftOutCount > 0 {
      display.message("note: \(grouped(trainer.leftOutCount)) training pairs are too long and left out")
    }
    display.describe(trainer.tuned, trainer.data, run: run.folder.path)
    guard try display.train(run, command: "reward") else { return }
    let scores = Dictionary(uniqueKeysWithValues: run.evaluation.map { ($0.name, $0.value) })
    if let accuracy = scores["eval_accuracy"], let low = scores["eval_accuracy_low"],
      let high = scores["eval_accuracy_high"], let error = scores["eval_calibration_error"]
    {
      display.message(
        "held out: \(rounded(100 * accuracy)) % of pairs are right (95 % interval \(rounded(100 * low)) to "
          + "\(rounded(100 * high))), calibration error \(rounded(error))")
    }
    display.message(
      """
      model:  \(run.folder.path)/model
      report: \(run.folder.path)/report.html (open it in a browser)
      next:   \(toolName) rlhf \(shellQuoted(trainer.setup.source.base)) --reward-model \(shellQuoted(run.folder.path)) \
      --data prompts.jsonl
      """)
  }
}

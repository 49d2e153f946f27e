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
  @OptionGroup var options: RewardOptions

  func validate() throws {
    try options.data.check(model: model, options.run, given: options.settings.first)
    _ = try options.configuration()
  }

  func run() throws {
    options.compute.apply()
    let display = RunDisplay("reward", options.run)
    let run: TrainingRun<RewardModel>
    if let resume = options.run.resume {
      run = try RewardModel.resume(resume, observe: display.observe)
      display.message("resuming \(resume) after step \(run.trainer.progress.done) of \(run.trainer.progress.total)")
    } else {
      let trainer = try RewardModel(model!, data: options.data.description(), options.configuration())
      run = try TrainingRun(trainer, at: options.run.output)
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

/// Every flag of `nabla reward`.
struct RewardOptions: ParsableArguments {
  @OptionGroup var data: TuningDataOptions
  @OptionGroup var run: RunOptions
  @OptionGroup(title: "Training") var settings: SettingFlags<Settings>
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  struct Settings: SettingTable {
    static let flags = RewardModel.Configuration.settings.map {
      SettingFlag($0, defaults: [("", RewardModel.Configuration())])
    }
  }

  func configuration() throws -> RewardModel.Configuration {
    try namingFlags { () throws(ConfigurationError) in try RewardModel.Configuration().changed(settings.given) }
  }
}

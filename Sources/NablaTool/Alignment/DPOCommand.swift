import ArgumentParser
import Nabla

struct DPOCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dpo", abstract: "Align a model with preference pairs (direct preference optimization).",
    usage: "nabla dpo <model> --data <file> ... [options]\nnabla dpo --resume <run>",
    discussion: """
      Trains an adapter on the frozen model, or with --adapter none the whole model, on pairs of a chosen \
      and a rejected completion. The reference is the given model, even if that is a run that trained an \
      adapter. The rows are audited first, and the reference's log-probabilities are computed once.

      The run folder contains the configuration, metrics, checkpoints, sample completions, a report to open in \
      a browser, and at the end the adapter as a PEFT folder, or the model as a Hugging Face folder.

      Ctrl-C (or SIGTERM) finishes the step, saves, prints how to resume, and exits with 0; a second one exits \
      immediately.
      """)

  @Argument(help: "Model: a GGUF file, a Hugging Face folder, or a run folder.", completion: .file())
  var model: String?
  @OptionGroup var options: DPOOptions

  func validate() throws {
    try options.data.check(model: model, options.run, given: options.settings.first)
    _ = try options.configuration()
  }

  func run() throws {
    options.compute.apply()
    let display = RunDisplay("dpo", options.run)
    let run: TrainingRun<DPO>
    if let resume = options.run.resume {
      run = try DPO.resume(resume, observe: display.observe)
      display.message("resuming \(resume) after step \(run.trainer.progress.done) of \(run.trainer.progress.total)")
    } else {
      let trainer = try DPO(model!, data: options.data.description(), options.configuration())
      run = try TrainingRun(trainer, at: options.run.output)
    }
    let trainer = run.trainer
    display.describe(trainer.tuned, trainer.data, run: run.folder.path)
    guard try display.train(run, command: "dpo") else { return }
    let scores = Dictionary(uniqueKeysWithValues: run.evaluation.map { ($0.name, $0.value) })
    if let accuracy = scores["eval_rewards/accuracies"], let margin = scores["eval_rewards/margins"] {
      display.message("held out: \(rounded(100 * accuracy)) % accuracy on pairs, mean reward margin \(rounded(margin))")
    }
    display.showResult(trainer.tuned, run.folder.path)
  }
}

/// Every flag of `nabla dpo`.
struct DPOOptions: ParsableArguments {
  @OptionGroup var data: TuningDataOptions
  @OptionGroup var run: RunOptions
  @OptionGroup(title: "Training") var settings: SettingFlags<Settings>
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  struct Settings: SettingTable {
    static let flags = DPO.Configuration.settings.map { SettingFlag($0, defaults: [("", DPO.Configuration())]) }
  }

  func configuration() throws -> DPO.Configuration {
    try namingFlags { () throws(ConfigurationError) in try DPO.Configuration().changed(settings.given) }
  }
}

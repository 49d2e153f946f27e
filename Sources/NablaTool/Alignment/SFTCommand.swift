import ArgumentParser
import Nabla

struct SFTCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sft", abstract: "Fine-tune a model on completions or conversations.",
    usage: "nabla sft <model> --data <file> ... [options]\nnabla sft --resume <run>",
    discussion: """
      Trains an adapter on the frozen model, or with --adapter none the whole model, on the completions \
      of the rows, or the assistant's turns of conversations; prompts are not learned. The rows are audited first.

      The run folder contains the configuration, metrics, checkpoints, sample completions, a report to open in \
      a browser, and at the end the adapter as a PEFT folder, or the model as a Hugging Face folder.

      Ctrl-C (or SIGTERM) finishes the step, saves, prints how to resume, and exits with 0; a second one exits \
      immediately.
      """)

  @Argument(help: "Model: a GGUF file, a Hugging Face folder, or a run folder.", completion: .file())
  var model: String?
  @OptionGroup var options: SFTOptions

  func validate() throws {
    try options.data.check(model: model, options.run, given: options.settings.first)
    _ = try options.configuration()
  }

  func run() throws {
    options.compute.apply()
    let display = RunDisplay("sft", options.run)
    let run: TrainingRun<SFT>
    if let resume = options.run.resume {
      run = try SFT.resume(resume, observe: display.observe)
      display.message("resuming \(resume) after step \(run.trainer.progress.done) of \(run.trainer.progress.total)")
    } else {
      let trainer = try SFT(model!, data: options.data.description(), options.configuration())
      run = try TrainingRun(trainer, at: options.run.output)
    }
    let trainer = run.trainer
    display.describe(trainer.tuned, trainer.data, run: run.folder.path)
    guard try display.train(run, command: "sft") else { return }
    let path = run.folder.path
    let scores = Dictionary(uniqueKeysWithValues: run.evaluation.map { ($0.name, $0.value) })
    if let loss = scores["validation_loss"], let accuracy = scores["eval_mean_token_accuracy"] {
      display.message(
        "held out: loss \(rounded(loss)) nats per token, \(rounded(100 * accuracy)) % token accuracy")
    }
    display.showResult(trainer.tuned, path)
  }
}

/// Every flag of `nabla sft`.
struct SFTOptions: ParsableArguments {
  @OptionGroup var data: TuningDataOptions
  @OptionGroup var run: RunOptions
  @OptionGroup(title: "Training") var settings: SettingFlags<Settings>
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  struct Settings: SettingTable {
    static let flags = SFT.Configuration.settings.map { SettingFlag($0, defaults: [("", SFT.Configuration())]) }
  }

  func configuration() throws -> SFT.Configuration {
    try namingFlags { () throws(ConfigurationError) in try SFT.Configuration().changed(settings.given) }
  }
}

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
  @OptionGroup var options: TuningOptions<SFT.Configuration>

  func validate() throws { try options.check(model: model) }

  func run() throws {
    options.compute.apply()
    let display = RunDisplay("sft", options.run)
    let run = try display.open(options.run, resume: SFT.resume) {
      try SFT(model!, data: options.data.description(), options.configuration())
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

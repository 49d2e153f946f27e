import ArgumentParser
import Nabla

struct DPOCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dpo", abstract: "Align a model with preference pairs (direct preference optimization).",
    usage: "nabla dpo <model> --data <file> ... [options]\nnabla dpo --resume <run>",
    discussion: """
      Trains an adapter on the frozen model, or with --adapter none the whole model, on pairs of a chosen \
      and a rejected completion. The reference is the given model, even if that is a run that trained an \
      adapter. The rows are audited first; held-out pairs are evaluated before the first step, every \
      --evaluate-every steps, and at the end.

      The run folder contains the configuration, metrics, checkpoints, sample completions, a report to open in \
      a browser, and at the end the adapter as a PEFT folder, or the model as a Hugging Face folder.

      Ctrl-C (or SIGTERM) finishes the step, saves, prints how to resume, and exits with 0; a second one exits \
      immediately.
      """)

  @Argument(help: "Model: a GGUF file, a Hugging Face folder, or a run folder.", completion: .file())
  var model: String?
  @OptionGroup var options: TuningOptions<DPO.Configuration>

  func validate() throws { try options.check(model: model) }

  func run() throws {
    options.compute.apply()
    let display = RunDisplay("dpo", options.run)
    let run = try display.open(options.run, resume: DPO.resume) {
      try DPO(model!, data: options.data.description(), options.configuration())
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

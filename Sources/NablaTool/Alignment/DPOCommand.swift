import ArgumentParser
import Nabla

struct DPOCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dpo", abstract: "Align a model with preferences: direct preference optimization.",
    usage: "nabla dpo <model> --data <file> ... [options]\nnabla dpo --resume <run>",
    discussion: """
      Trains an adapter beside the frozen model, or with --adapter none the whole model, on pairs of completions of \
      which people chose one. The reference is the model as it is given: also where that is a run that trained an \
      adapter. The rows are audited first; held-out pairs are looked at before the first step, after every \
      --evaluate-every and at the end.

      The run folder gets the configuration, metrics, checkpoints, answers before and after, a report to open in a \
      browser, and at the end the adapter as a PEFT folder, or the model as a Hugging Face folder.

      Ctrl-C (or SIGTERM) finishes the step, saves, says how to continue, and exits 0; a second one exits at once.
      """)

  @Argument(help: "A GGUF file, a Hugging Face folder, or a run folder.", completion: .file())
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
      display.message("held out: \(rounded(100 * accuracy)) % of pairs are right, by a margin of \(rounded(margin))")
    }
    display.showResult(trainer.tuned, run.folder.path)
  }
}

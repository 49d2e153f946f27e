import ArgumentParser
import Nabla

struct Pretrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a language model on text.",
    usage: """
      nabla pretrain <file-or-folder> ... [options]
      nabla pretrain <file-or-folder> ... --init <model> [options]
      nabla pretrain --resume <run> [--steps <n>]
      """,
    discussion: """
      Reads UTF-8 files and folders, and trains a transformer to predict the next token. The run folder \
      contains the configuration, metrics, checkpoints, samples, a report to open in a browser, and at the end the \
      model as a Hugging Face folder: the one with the lowest validation loss.

      With --resume, --steps gives a run more steps than it had: the learning rate stays where its schedule ended.

      Presets:
      \(Preset.all.map { "  " + $0.name + String(repeating: " ", count: max(1, 18 - $0.name.count)) + $0.summary }
        .joined(separator: "\n"))

      Ctrl-C (or SIGTERM) finishes the step, saves, prints how to resume, and exits with 0; a second one exits \
      immediately. Defaults below are those of the preset tiny, and of the others if they differ.
      """)

  @Argument(help: "Training text: files and folders.", completion: .file())
  var files: [String] = []
  @OptionGroup var options: PretrainOptions

  func validate() throws {
    if options.run.resume == nil {
      if files.isEmpty { throw ValidationError("give files or folders of text to train on") }
      _ = try options.preset()
    }
  }

  func run() throws {
    options.compute.apply()
    let display = RunDisplay("pretrain", options.run)
    let run: TrainingRun<Pretraining>
    if let resume = options.run.resume {
      run = try Pretraining.resume(
        resume, paths: files, allowsOtherData: options.allowOtherData, steps: options.moreSteps(),
        observe: display.observe)
      display.message("resuming \(resume) after step \(run.trainer.progress.done) of \(run.trainer.progress.total)")
      let training = run.trainer.setup.training
      if let scheduled = training.scheduleSteps {
        display.message(
          "learning rate: \(significant(Double(training.finalLearningRate), digits: 4)) after step \(grouped(scheduled)), "
            + "where the schedule ended")
      }
    } else if let initial = options.initialModel {
      let preset = try options.preset()
      let trainer = try Pretraining(
        paths: files, from: initial, window: preset.model.context, preset.training, message: display.message)
      display.message(
        "starting from \(initial), in windows of \(trainer.setup.window ?? 0) tokens, at a learning rate of "
          + "\(significant(Double(preset.training.learningRate), digits: 4))")
      run = try TrainingRun(trainer, at: options.run.output)
    } else {
      let trainer = try Pretraining(paths: files, options.preset(), message: display.message)
      run = try TrainingRun(trainer, at: options.run.output)
    }
    describe(run, display)
    guard try display.train(run, command: "pretrain") else { return }
    let path = run.folder.path
    if let validation = run.trainer.validation {
      display.message(
        "validation: loss \(rounded(validation.loss)) nats per token, perplexity \(rounded(validation.perplexity)), "
          + "\(rounded(validation.bitsPerByte)) bits per byte")
    }
    if let best = run.best, best.isEarlier { display.message(summary(of: best)) }
    display.message(
      """
      model:  \(path)/model\(run.best.map { $0.isEarlier ? " (that of step \($0.step))" : "" } ?? "")
      report: \(path)/report.html (open it in a browser)
      next:   \(toolName) generate \(shellQuoted(path))\(prompt(for: run.trainer.tokenizer))
      """)
  }

  /// What became of the validation loss after its lowest.
  private func summary(of best: BestModel) -> String {
    let lowest = "the validation loss was lowest at step \(best.step), \(rounded(best.value))"
    guard best.isOverfit else { return "\(lowest); at step \(best.lastStep) it was \(rounded(best.lastValue))" }
    return """
      overfitting: \(lowest), and has risen to \(rounded(best.lastValue)): the model learns this text by heart. More \
      text, fewer steps, a smaller model or --dropout 0.1 help
      """
  }

  /// A prompt that the tokenizer can express; none where it lacks one of the characters.
  private func prompt(for tokenizer: any Tokenizer) -> String {
    (try? tokenizer.encode("The ")) == nil ? "" : " --prompt \(shellQuoted("The "))"
  }

  private func describe(_ run: TrainingRun<Pretraining>, _ display: RunDisplay) {
    let (model, c) = (run.trainer.model, run.trainer.setup.model)
    let threads = "\(Threads.count) \(Threads.count == 1 ? "thread" : "threads")"
    display.message("corpus: \(run.trainer.corpusSummary)")
    display.message(
      "model: \(grouped(model.parameterCount)) parameters, \(c.layerCount) layers, hidden size \(c.width), "
        + "\(c.headCount) heads, context \(c.context), vocabulary \(c.vocabularySize)")
    if let reason = run.trainer.setup.model.reasonForOwnFormat {
      display.message("format: \(reason), so transformers and llama.cpp cannot load this model; Nabla can")
    }
    display.message("machine: \(threads), \(InstructionSet.ofOneDNN), matrix multiplications in \(model.computeType)")
    display.message("run: \(run.folder.path)")
  }
}

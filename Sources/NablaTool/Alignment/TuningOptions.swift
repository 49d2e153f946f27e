import ArgumentParser
import Nabla

/// The data options of a command that fine-tunes a model.
struct TuningDataOptions: ParsableArguments {
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Training data: JSONL files, optionally gzip-compressed; 'nabla audit' shows what is learned.",
      valueName: "file"),
    completion: .file())
  var data: [String] = []
  @OptionGroup var template: TemplateOptions

  func description() throws -> TuningData.Description {
    TuningData.Description(files: data, template: try template.source(), truncation: template.truncation)
  }

  /// Rejects a command that neither starts nor resumes a run.
  func check(model: String?, _ run: RunOptions, given: String?) throws {
    try run.refuse((model == nil ? nil : "the model") ?? (data.isEmpty ? nil : "--data") ?? given)
    if run.resume != nil { return }
    if model == nil { throw ValidationError("give the model to train: a GGUF file, a Hugging Face folder, or a run") }
    if data.isEmpty { throw ValidationError("give the training data with --data FILE") }
  }
}

extension RunDisplay {
  /// Reports the training data.
  func describe(_ tuned: TunedModel, _ data: TuningData, run: String) {
    for warning in data.warnings { message("warning: \(warning)") }
    message("data: \(grouped(data.training.count)) rows to train on, \(grouped(data.heldOut.count)) held out")
    describe(tuned, run: run)
  }

  /// Reports the model and its trained parameters.
  func describe(_ tuned: TunedModel, run: String) {
    let all = tuned.model.parameters().reduce(0) { $0 + $1.value.count }
    message(
      "model: \(tuned.source.base): \(grouped(tuned.trainedCount)) of \(grouped(all)) parameters are trained, "
        + "matrix multiplications in \(tuned.model.computeType)")
    message("run: \(run)")
  }

  /// Reports where the result is, and what to do with it.
  func showResult(_ tuned: TunedModel, _ path: String) {
    message(
      """
      \(tuned.kind == .none ? "model:  \(path)/model" : "adapter: \(path)/\(AdapterRun.folderName)")
      report: \(path)/report.html (open it in a browser)
      next:   \(toolName) chat \(shellQuoted(path))
      """)
  }
}

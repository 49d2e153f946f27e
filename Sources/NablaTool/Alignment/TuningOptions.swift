import ArgumentParser
import Nabla

/// The data of a command that fine-tunes a model.
struct TuningDataOptions: ParsableArguments {
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("JSONL files (.gz or not); 'nabla audit' shows what is learned.", valueName: "file"),
    completion: .file())
  var data: [String] = []
  @OptionGroup var template: TemplateOptions

  func description() throws -> TuningData.Description {
    TuningData.Description(files: data, template: try template.source(), truncation: template.truncation)
  }

  /// Refuses a command that neither begins nor continues a run.
  func check(model: String?, _ run: RunOptions, given: String?) throws {
    try run.refuse((model == nil ? nil : "the model") ?? (data.isEmpty ? nil : "--data") ?? given)
    if run.resume != nil { return }
    if model == nil { throw ValidationError("name the model to train: a GGUF file, a Hugging Face folder, or a run") }
    if data.isEmpty { throw ValidationError("give the rows to train on with --data FILE") }
  }
}

extension RunDisplay {
  /// Says what is trained on what.
  func describe(_ tuned: TunedModel, _ data: TuningData, run: String) {
    for warning in data.warnings { message("warning: \(warning)") }
    message("data: \(grouped(data.training.count)) rows to train on, \(grouped(data.heldOut.count)) held out")
    describe(tuned, run: run)
  }

  /// Says what is trained.
  func describe(_ tuned: TunedModel, run: String) {
    let all = tuned.model.parameters().reduce(0) { $0 + $1.value.count }
    message(
      "model: \(tuned.source.base): \(grouped(tuned.trainedCount)) of \(grouped(all)) numbers are trained, "
        + "matrix multiplications in \(tuned.model.computeType)")
    message("run: \(run)")
  }

  /// Says where what was trained lies, and what to do with it.
  func showResult(_ tuned: TunedModel, _ path: String) {
    message(
      """
      \(tuned.kind == .none ? "model:  \(path)/model" : "adapter: \(path)/\(AdapterRun.folderName)")
      report: \(path)/report.html (open it in a browser)
      next:   \(toolName) chat \(shellQuoted(path))
      """)
  }
}

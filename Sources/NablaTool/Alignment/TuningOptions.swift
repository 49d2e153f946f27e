import ArgumentParser
import Nabla

/// The data options of a command that fine-tunes a model.
struct RowOptions: ParsableArguments {
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Rows: JSONL files, optionally gzip-compressed; 'nabla audit' shows what a model learns from them.",
      valueName: "file"),
    completion: .file())
  var data: [String] = []
  @OptionGroup var template: TemplateOptions

  func description(_ truncation: Truncation = .keepStart) throws -> TuningData.Description {
    TuningData.Description(files: data, template: try template.source(), truncation: truncation)
  }

  /// The first of these flags that was given.
  var first: String? {
    if !data.isEmpty { return "--data" }
    return template.chatTemplate == nil ? nil : "--chat-template"
  }

  /// Rejects a command that neither starts nor resumes a run.
  func check(model: String?, _ run: RunOptions, given: String?) throws {
    try run.refuse((model == nil ? nil : "the model") ?? first ?? given)
    if run.resume != nil { return }
    if model == nil { throw ValidationError("give the model to train: a GGUF file, a Hugging Face folder, or a run") }
    if data.isEmpty { throw ValidationError("give the training data with --data FILE") }
  }
}

/// Rows whose completions are learned, within a maximum length.
struct TuningDataOptions: ParsableArguments {
  @OptionGroup var rows: RowOptions
  @OptionGroup var truncated: TruncationOptions

  func description() throws -> TuningData.Description { try rows.description(truncated.side) }
  func check(model: String?, _ run: RunOptions, given: String?) throws {
    try rows.check(model: model, run, given: truncated.truncation == nil ? given : "--truncation")
  }
}

/// Every flag of a command that fine-tunes a model on rows.
struct TuningOptions<Configuration: TuningSettings>: ParsableArguments {
  @OptionGroup var data: TuningDataOptions
  @OptionGroup var run: RunOptions
  @OptionGroup(title: "Training") var settings: SettingFlags<TuningTable<Configuration>>
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  /// Refuses what makes no sense before anything is read.
  func check(model: String?) throws {
    try data.check(model: model, run, given: settings.first)
    _ = try configuration()
  }

  func configuration() throws -> Configuration { try settings.configuration() }
}

/// A configuration whose defaults are the flags'.
protocol TuningSettings: Configurable { init() }
extension SFT.Configuration: TuningSettings {}
extension DPO.Configuration: TuningSettings {}
extension GRPO.Configuration: TuningSettings {}
extension RewardModel.Configuration: TuningSettings {}
extension RLHF.Configuration: TuningSettings {}

struct TuningTable<Configuration: TuningSettings>: SettingTable {
  static var flags: [SettingFlag] { Configuration.settings.map { SettingFlag($0, defaults: [("", Configuration())]) } }
}

extension SettingFlags {
  func configuration<Configuration>() throws -> Configuration where Table == TuningTable<Configuration> {
    try namingFlags { () throws(ConfigurationError) in try Configuration().changed(given) }
  }
}

extension RunDisplay {
  /// The run that `--resume` names, or a new one.
  func open<T: Trainer>(
    _ options: RunOptions, resume: (String, TrainingRun<T>.Observer) throws -> TrainingRun<T>, new: () throws -> T
  ) throws -> TrainingRun<T> {
    guard let path = options.resume else { return try TrainingRun(new(), at: options.output) }
    let run = try resume(path, observe)
    message("resuming \(path) after step \(run.trainer.progress.done) of \(run.trainer.progress.total)")
    return run
  }

  /// Reports the training data.
  func describe(_ tuned: TunedModel, _ data: TuningData, run: String) {
    for warning in data.warnings { message("warning: \(warning)") }
    message("data: \(grouped(data.training.count)) rows to train on, \(grouped(data.heldOut.count)) held out")
    describe(tuned, run: run)
  }

  /// Reports the model and its trained parameters.
  func describe(_ tuned: TunedModel, run: String) {
    let all = tuned.model.parameters().reduce(0) { $0 + $1.value.count }
    let quantized = tuned.source.quantization == .none ? "" : " in \(tuned.source.quantization.rawValue)"
    message(
      "model: \(tuned.source.base)\(quantized): \(grouped(tuned.trainedCount)) of \(grouped(all)) parameters are "
        + "trained, matrix multiplications in \(tuned.model.computeType)")
    if let adapter = tuned.source.adapter { message("starts from: \(adapter)") }
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

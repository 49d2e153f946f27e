import ArgumentParser
import Nabla

/// Every flag of `nabla pretrain`: what `--config` may set.
struct PretrainOptions: ParsableArguments {
  @Option(name: .customLong("preset"), help: "Preset of model and settings (default: \(Preset.all[0].name)).")
  var presetName: String?
  @Option(
    name: .customLong("init"),
    help: ArgumentHelp(
      "Model whose weights, shape and tokenizer training starts from: a run, a Hugging Face folder or a GGUF file, "
        + "whose weights are dequantized. --context is then the length of a training window.", valueName: "model"),
    completion: .file())
  var initialModel: String?
  @OptionGroup var run: RunOptions
  @Flag(help: "With --resume: continue even if the text has changed.")
  var allowOtherData = false

  @OptionGroup(title: "Model") var model: SettingFlags<ModelSettings>
  @OptionGroup(title: "Training") var training: SettingFlags<TrainingSettings>
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  struct ModelSettings: SettingTable {
    static let flags = Preset.modelSettings.map { SettingFlag($0, defaults: presets) }
  }
  struct TrainingSettings: SettingTable {
    static let flags = Preset.trainingSettings.map { SettingFlag($0, defaults: presets) }
  }
  private static let presets = Preset.all.map { (name: $0.name, configuration: $0) }

  func validate() throws {
    let others = training.given.keys.filter { $0 != "steps" }.sorted().first.map { "--\($0)" }
    try run.refuse(
      (presetName == nil ? nil : "--preset") ?? (initialModel == nil ? nil : "--init") ?? model.first ?? others)
    if initialModel != nil, let other = model.given.keys.filter({ $0 != "context" }).sorted().first {
      throw ValidationError("--init keeps the model's own shape and tokenizer: leave out --\(other)")
    }
    if run.resume == nil, allowOtherData { throw ValidationError("--allow-other-data is for --resume") }
    if training.given["steps"] != nil, training.given["epochs"] != nil {
      throw ValidationError("give --steps or --epochs, not both")
    }
  }

  /// The setup of a new run. The default peak learning rate for a trained model is 1e-4.
  func preset() throws -> Preset {
    var given = model.given.merging(training.given) { own, _ in own }
    if initialModel != nil, given["learning-rate"] == nil { given["learning-rate"] = "1e-4" }
    return try namingFlags { () throws(ConfigurationError) in
      try Preset.named(presetName ?? Preset.all[0].name).changed(given)
    }
  }

  /// Of a run that continues: how many steps it is to have.
  func moreSteps() throws -> Int? {
    try training.given["steps"].map { text in
      guard let steps = Int(settingText: text) else {
        throw ValidationError("--steps should be a whole number, not '\(text)'")
      }
      return steps
    }
  }
}

import ArgumentParser
import Nabla

/// Every flag of `nabla pretrain`: what `--config` may set.
struct PretrainOptions: ParsableArguments {
  @Option(name: .customLong("preset"), help: "Preset of model and settings (default: \(Preset.all[0].name)).")
  var presetName: String?
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
    try run.refuse((presetName == nil ? nil : "--preset") ?? model.first ?? training.first)
    if run.resume == nil, allowOtherData { throw ValidationError("--allow-other-data is for --resume") }
    if training.given["steps"] != nil, training.given["epochs"] != nil {
      throw ValidationError("give --steps or --epochs, not both")
    }
  }

  /// The setup of a new run.
  func preset() throws -> Preset {
    try namingFlags { () throws(ConfigurationError) in
      try Preset.named(presetName ?? Preset.all[0].name)
        .changed(model.given.merging(training.given) { own, _ in own })
    }
  }
}

import ArgumentParser
import Nabla

/// Every flag of `nabla pretrain`: what `--config` may set.
struct PretrainOptions: ParsableArguments {
  @Option(help: "The starting point that other flags change (default: \(Preset.all[0].name)).")
  var preset: String?
  @Option(
    help: ArgumentHelp(
      "The run folder: new or empty (default: runs/pretrain-DATE-N).", valueName: "folder"),
    completion: .directory)
  var output: String?
  @Option(
    help: ArgumentHelp(
      "Go on with a run from its last checkpoint, with its own settings; files need to be named only if they moved.",
      valueName: "run"), completion: .directory)
  var resume: String?
  @Flag(help: "With --resume: go on although the text has changed.")
  var allowOtherData = false
  @Option(
    help: ArgumentHelp(
      "Read flags from a YAML file of 'flag: value' lines, and text from its 'files: [a, b]'; what is given here wins.",
      valueName: "file"), completion: .file(extensions: ["yaml", "yml"]))
  var config: String?
  @Flag(help: "Print progress and messages on standard output, one JSON object a line, for programs to read.")
  var json = false

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Training") var training: TrainingOptions
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  func validate() throws {
    if resume != nil {
      if output != nil { throw ValidationError("--resume goes on in the run's own folder: leave out --output") }
      if let flag = (preset == nil ? nil : "--preset") ?? model.given ?? training.given {
        throw ValidationError("--resume goes on with the run's own settings: leave out \(flag)")
      }
    } else if allowOtherData {
      throw ValidationError("--allow-other-data is for --resume")
    }
  }

  /// What a new run is to be.
  func applied() throws -> (
    tokenizer: TokenizerKind, model: TransformerConfiguration, training: PretrainingConfiguration
  ) {
    do {
      let preset = try Preset.named(preset ?? Preset.all[0].name)
      let (tokenizer, model) = try model.applied(to: preset)
      let training = training.applied(to: preset)
      try Pretraining.validate(model: model, tokenizer: tokenizer, training: training)
      return (tokenizer, model, training)
    } catch let error as ConfigurationError {
      throw ValidationError(error.problem)
    }
  }
}

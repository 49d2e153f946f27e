import NablaLanguage
import NablaText
import NablaTraining

extension GRPO {
  /// All it takes to make the trainer again: what `config.json` holds.
  public struct Setup: Codable, Sendable {
    public var source: TunedModel.Source
    public var data: TuningData.Description
    public var training: Configuration
    public var judge: JudgeDescription
  }

  /// A training from its beginning.
  ///
  /// - Parameters:
  ///   - model: a file or folder that `TrainedModel` takes; of a run that trained an adapter, that is trained on.
  ///   - judge: reward functions by name, with weights, a reward model, or both.
  /// - Throws: `ConfigurationError`, `RewardError`, ``AlignmentError``, and what reading the model and the data throws.
  public convenience init(
    _ model: String, data: TuningData.Description, judge: JudgeDescription, _ configuration: Configuration
  ) throws {
    let source = try TunedModel.Source(model, quantization: configuration.tuning.quantization)
    try self.init(Setup(source: source, data: data, training: configuration, judge: judge))
  }

  /// With reward functions of the program's own.
  public convenience init(
    _ model: String, data: TuningData.Description, rewards: WeightedRewards, _ configuration: Configuration
  ) throws {
    let source = try TunedModel.Source(model, quantization: configuration.tuning.quantization)
    try self.init(Setup(source: source, data: data, training: configuration, judge: JudgeDescription()), rewards)
  }

  /// A run that continues.
  ///
  /// - Parameter rewards: the functions of a run that was begun with the program's own.
  public static func resume(
    _ path: String, rewards: WeightedRewards? = nil, observe: TrainingRun<GRPO>.Observer = { _ in }
  ) throws -> TrainingRun<GRPO> {
    try TrainingRun(resuming: path, observe: observe) { setup, _ in try GRPO(setup, rewards) }
  }
}

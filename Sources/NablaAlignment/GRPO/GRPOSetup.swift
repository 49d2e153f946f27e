import NablaLanguage
import NablaText
import NablaTraining

extension GRPO {
  public typealias Setup = JudgedSetup<Configuration>

  /// A new run.
  ///
  /// - Parameters:
  ///   - model: a file or folder that `TrainedModel` takes; of a run that trained an adapter, that is trained on.
  ///   - data: JSONL files of prompts, with the columns that reward functions read.
  ///   - judge: reward functions by name, with weights, a reward model, or both.
  ///   - configuration: checked before anything is read.
  /// - Throws: `ConfigurationError`, `RewardError`, ``AlignmentError``, and what reading the model and the data throws.
  public convenience init(
    _ model: String, data: TuningData.Description, judge: JudgeDescription, _ configuration: Configuration
  ) throws {
    let source = try TunedModel.Source(model, quantization: configuration.tuning.quantization)
    try self.init(Setup(source: source, data: data, training: configuration, judge: judge))
  }

  /// With custom reward functions.
  public convenience init(
    _ model: String, data: TuningData.Description, rewards: WeightedRewards, _ configuration: Configuration
  ) throws {
    let source = try TunedModel.Source(model, quantization: configuration.tuning.quantization)
    try self.init(Setup(source: source, data: data, training: configuration, judge: JudgeDescription()), rewards)
  }

  /// A resumed run.
  ///
  /// - Parameters:
  ///   - path: the run's folder.
  ///   - rewards: the functions of a run that was started with custom ones.
  ///   - observe: receives events before training begins.
  public static func resume(
    _ path: String, rewards: WeightedRewards? = nil, observe: TrainingRun<GRPO>.Observer = { _ in }
  ) throws -> TrainingRun<GRPO> {
    try TrainingRun(resuming: path, observe: observe) { setup, _ in
      try GRPO(setup.located(of: path), rewards)
    }
  }
}

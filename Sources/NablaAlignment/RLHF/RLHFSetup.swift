import NablaLanguage
import NablaText
import NablaTraining

extension RLHF {
  /// All it takes to make the trainer again: what `config.json` holds.
  public struct Setup: Codable, Sendable {
    public var source: TunedModel.Source
    public var data: TuningData.Description
    public var training: Configuration
    public var judge: JudgeDescription

    public init(
      source: TunedModel.Source, data: TuningData.Description, judge: JudgeDescription, training: Configuration
    ) {
      (self.source, self.data, self.judge, self.training) = (source, data, judge, training)
    }

    /// The same for a run that may have moved.
    func located(of run: String) throws -> Setup {
      try Setup(
        source: source.located(of: run), data: data.located(of: run), judge: judge.located(of: run),
        training: training)
    }
  }

  /// A training from its beginning.
  ///
  /// - Parameter rewards: functions of the program's own, instead of the setup's.
  /// - Throws: `ConfigurationError`, `RewardError`, ``AlignmentError``, and what reading the models and the data throws.
  public convenience init(_ setup: Setup, rewards: WeightedRewards? = nil) throws { try self.init(setup, rewards) }

  /// A run that continues.
  ///
  /// - Parameter rewards: the functions of a run that was begun with the program's own.
  public static func resume(
    _ path: String, rewards: WeightedRewards? = nil, observe: TrainingRun<RLHF>.Observer = { _ in }
  ) throws -> TrainingRun<RLHF> {
    try TrainingRun(resuming: path, observe: observe) { setup, _ in
      try RLHF(setup.located(of: path), rewards)
    }
  }
}

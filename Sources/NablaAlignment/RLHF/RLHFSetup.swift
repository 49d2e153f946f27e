import NablaLanguage
import NablaText
import NablaTraining

extension RLHF {
  public typealias Setup = JudgedSetup<Configuration>

  /// A training from its beginning.
  ///
  /// - Parameters:
  ///   - setup: policy, data, judges and configuration.
  ///   - rewards: functions of the program's own, instead of the setup's.
  /// - Throws: `ConfigurationError`, `RewardError`, ``AlignmentError``, and what reading the models and the data throws.
  public convenience init(_ setup: Setup, rewards: WeightedRewards? = nil) throws { try self.init(setup, rewards) }

  /// A run that continues.
  ///
  /// - Parameters:
  ///   - path: the run's folder.
  ///   - rewards: the functions of a run that was begun with the program's own.
  ///   - observe: receives events before training begins.
  public static func resume(
    _ path: String, rewards: WeightedRewards? = nil, observe: TrainingRun<RLHF>.Observer = { _ in }
  ) throws -> TrainingRun<RLHF> {
    try TrainingRun(resuming: path, observe: observe) { setup, _ in
      try RLHF(setup.located(of: path), rewards)
    }
  }
}

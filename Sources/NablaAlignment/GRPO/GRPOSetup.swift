import NablaLanguage
import NablaText
import NablaTraining

/// A reward function by name, and its weight in the sum.
public struct RewardDescription: Codable, Sendable, Hashable {
  /// In the syntax of `Reward.init(parsing:)`.
  public var function: String
  public var weight: Double

  public init(_ function: String, weight: Double = 1) { (self.function, self.weight) = (function, weight) }
}

extension GRPO {
  /// All that is needed to recreate the trainer: the contents of `config.json`.
  public struct Setup: Codable, Sendable {
    public var source: TunedModel.Source
    public var data: TuningData.Description
    public var training: Configuration
    /// Empty if the program provides its own functions.
    public var rewards: [RewardDescription]

    /// The same for a run that may have moved.
    func located(of run: String) throws -> Setup {
      try Setup(source: source.located(of: run), data: data.located(of: run), training: training, rewards: rewards)
    }

    func weightedRewards() throws -> WeightedRewards {
      try require(!rewards.isEmpty, "\(setting: "reward") is missing: give at least one reward function")
      return WeightedRewards(try rewards.map { try Reward(parsing: $0.function) }, weights: rewards.map(\.weight))
    }

    /// The training prompts and the held-out ones; stores the data's hash in the setup.
    mutating func readPrompts(for policy: TunedModel) throws -> (training: PromptSet, heldOut: PromptSet) {
      let dataset = try Dataset.read(data.files)
      let hash = dataset.contentHash()
      if let known = data.hash, known != hash { throw AlignmentError.otherData(files: data.files) }
      data.hash = hash
      let encoder = try ExampleEncoder(policy.text, template: data.template, date: data.date)
      let (rows, heldOut) = dataset.split(
        heldOutFraction: training.tuning.heldOutFraction, seed: training.tuning.seed)
      func prompts(_ rows: Dataset) throws -> PromptSet {
        try PromptSet(
          rows, encoder, context: policy.model.configuration.context, maximumTokens: training.maximumTokens)
      }
      return (try prompts(rows), try prompts(heldOut))
    }
  }

  /// A new run.
  ///
  /// - Parameters:
  ///   - model: a file or folder that `TrainedModel` accepts; the adapter of a run that trained one is trained further.
  ///   - rewards: reward functions by name, with weights.
  /// - Throws: `ConfigurationError`, `RewardError`, ``AlignmentError``, and what reading the model and the data throws.
  public convenience init(
    _ model: String, data: TuningData.Description, rewards: [RewardDescription], _ configuration: Configuration
  ) throws {
    let source = try TunedModel.Source(model, quantization: configuration.tuning.quantization)
    try self.init(Setup(source: source, data: data, training: configuration, rewards: rewards))
  }

  /// With custom reward functions.
  public convenience init(
    _ model: String, data: TuningData.Description, rewards: WeightedRewards, _ configuration: Configuration
  ) throws {
    let source = try TunedModel.Source(model, quantization: configuration.tuning.quantization)
    try self.init(Setup(source: source, data: data, training: configuration, rewards: []), rewards)
  }

  /// A resumed run.
  ///
  /// - Parameter rewards: the functions of a run that was started with custom ones.
  public static func resume(
    _ path: String, rewards: WeightedRewards? = nil, observe: TrainingRun<GRPO>.Observer = { _ in }
  ) throws -> TrainingRun<GRPO> {
    try TrainingRun(resuming: path, observe: observe) { setup, _ in
      try GRPO(setup.located(of: path), rewards)
    }
  }
}

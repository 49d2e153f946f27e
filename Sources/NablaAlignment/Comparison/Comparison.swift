import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

/// Several models on the same held-out prompts: their completions, the scores of these, and the divergence from a
/// reference.
public struct Comparison: Codable, Sendable {
  /// A model's completion of a prompt.
  public struct Completion: Codable, Sendable {
    public var text: String
    public var tokenCount: Int
    public var isTruncated: Bool
    /// By function, as `functions` names them.
    public var scores: [Double]
    /// ln π/π_ref of the whole completion, in nats; nil without reference.
    public var logRatio: Double?
    /// The fraction of its trigrams that occurred before.
    public var repetition: Double
  }

  public struct Model: Codable, Sendable {
    public var path: String
    /// What trained it: "sft", "grpo", …; nil if it is not a run.
    public var command: String?
    /// Seconds of its training steps, the most bytes held in them, and the tokens trained on.
    public var seconds, memory, tokens: Double?
    /// In the order of the prompts.
    public var completions: [Completion]

    /// The last part of the path.
    public var name: String { path.split(separator: "/").last.map(String.init) ?? path }
  }

  public var prompts: [String]
  /// Names of reward functions; "reward_model" is last.
  public var functions: [String]
  /// What the divergence is from.
  public var reference: String?
  public var temperature: Float
  public var models: [Model] = []

  /// What to compare.
  public struct Plan: Sendable {
    public var models: [String]
    public var reference: String?
    public var data: TuningData.Description
    public var judge: JudgeDescription
    /// How many prompts, from the first.
    public var promptCount = 128
    public var maximumTokens = 64
    /// 0 for greedy completions; the divergence is then not an estimate of KL.
    public var temperature: Float = 1
    public var batchSize = 16
    public var seed: UInt64 = 1

    public init(models: [String], reference: String?, data: TuningData.Description, judge: JudgeDescription) {
      (self.models, self.reference, self.data, self.judge) = (models, reference, data, judge)
    }
  }

  /// Lets each model complete the prompts, drawing from the same streams, and judges what it wrote. One model is in
  /// memory at a time, beside reference and reward model.
  ///
  /// - Parameters:
  ///   - plan: the models, prompts and judges.
  ///   - progress: is told what is being done.
  /// - Throws: what reading models and data throws, and `RewardError`.
  public init(_ plan: Plan, progress: (String) throws -> Void = { _ in }) throws {
    precondition(!plan.models.isEmpty, "Comparison: no models")
    let rewards = WeightedRewards(try plan.judge.rewards.map { try Reward(parsing: $0.function) })
    let reference = try plan.reference.map { try TrainedModel($0) }
    let judge = try plan.judge.rewardModel.map { try Scorer(rewardModel: $0) }
    functions = rewards.rewards.map(\.name) + (judge == nil ? [] : ["reward_model"])
    (self.reference, temperature, prompts) = (plan.reference, plan.temperature, [])

    for path in plan.models {
      try progress("\(path): sampling")
      let trained = try TrainedModel(path)
      for other in [reference, judge?.trained].compactMap(\.self) { try trained.checkTokens(of: other) }
      let set = try plan.prompts(for: trained, judge, reference)
      if prompts.isEmpty { prompts = set.prompts.map(\.text) }
      var random = RandomSource(seed: plan.seed)
      let sampler = RolloutSampler(
        tokenizer: trained.tokenizer, endTokens: trained.endTokens, maximumTokens: plan.maximumTokens,
        temperature: plan.temperature)
      var rollouts = try sampler.sample(
        (0..<set.count).map { ($0, set[$0].tokens) }, count: 1, from: trained.model, random: &random)
      var scores = try set.reward(&rollouts, by: rewards)
      if let judge { scores.append(try judge.scores(of: rollouts, batchSize: plan.batchSize)) }
      let ratios = reference.map { plan.logRatios(rollouts, trained.model, $0.model) }
      let cost = TrainingCost(path)
      models.append(
        Model(
          path: path, command: cost?.command, seconds: cost?.seconds, memory: cost?.memory, tokens: cost?.tokens,
          completions: rollouts.enumerated().map { i, rollout in
            Completion(
              text: rollout.text, tokenCount: rollout.tokens.count, isTruncated: rollout.isTruncated,
              scores: scores.map { $0[i] }, logRatio: ratios?[i], repetition: repetition(of: rollout.tokens))
          }))
    }
  }
}

extension Comparison.Plan {
  /// - Throws: `DatasetError`, also for a prompt that with its completion exceeds the context of one of the models.
  fileprivate func prompts(
    for trained: TrainedModel, _ judge: Scorer?, _ reference: TrainedModel?
  ) throws -> PromptSet {
    let encoder = try ExampleEncoder(trained.text, template: data.template, date: data.date)
    let rows = try Dataset.read(data.files)
    let (context, owner) = PromptSet.context(
      of: trained.model.configuration, rewardModel: judge?.model.configuration,
      reference: reference?.model.configuration)
    return try PromptSet(
      Dataset(Array(rows.prefix(promptCount)), files: rows.files), encoder, context: context, of: owner,
      maximumTokens: maximumTokens)
  }

  /// ln π/π_ref of each completion at the sampling temperature, or at 1 for greedy completions.
  fileprivate func logRatios(_ rollouts: [Rollout], _ policy: TransformerLM, _ reference: TransformerLM) -> [Double] {
    withoutGradient {
      RolloutPart.split(rollouts, size: batchSize).flatMap { part in
        let completions = rollouts[part.rollouts]
        func logProbabilities(_ model: TransformerLM) -> Tensor {
          RolloutBatch(completions, for: model.configuration)
            .logProbabilities(model, temperature: temperature == 0 ? 1 : temperature).logProbabilities
        }
        let lengths = completions.map(\.tokens.count)
        return (logProbabilities(policy) - logProbabilities(reference)).segmentSums(lengths).array().map(Double.init)
      }
    }
  }
}

/// What a run's metrics say of its training.
private struct TrainingCost {
  var command: String
  var seconds, memory, tokens: Double?

  /// - Returns: nil where the path is no run.
  init?(_ path: String) {
    guard let run = try? RunFolder.open(path), let records = try? MetricsRecord.readAll(folder: path) else {
      return nil
    }
    command = run.command
    seconds = records.compactMap { $0["seconds"] }.max()
    memory = records.compactMap { $0["memory_bytes"] }.max()
    tokens = records.compactMap { $0["num_tokens"] }.max()
  }
}

/// The fraction of trigrams that occurred before.
private func repetition(of tokens: [Int32]) -> Double {
  guard tokens.count > 3 else { return 0 }
  let all = (0...tokens.count - 3).map { Array(tokens[$0..<$0 + 3]) }
  return 1 - Double(Set(all).count) / Double(all.count)
}

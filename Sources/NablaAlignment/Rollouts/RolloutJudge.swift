import NablaFormats
import NablaLanguage
import NablaTraining

/// What scores the completions of a policy: reward functions, a reward model beside it, or both.
struct RolloutJudge {
  let rewards: WeightedRewards
  let model: Scorer?
  let modelWeight: Double

  /// - Parameter rewards: functions of the program's own, instead of the description's.
  /// - Throws: `ConfigurationError` where nothing is named, `RewardError`, and what reading the reward model throws.
  init(_ description: JudgeDescription, _ rewards: WeightedRewards?, beside tuned: TunedModel) throws {
    try require(
      rewards != nil || !description.rewards.isEmpty || description.rewardModel != nil,
      "\(setting: "reward") and \(setting: "reward-model") are missing: name a reward function or a reward model")
    self.rewards =
      try rewards
      ?? WeightedRewards(
        try description.rewards.map { try Reward(parsing: $0.function) }, weights: description.rewards.map(\.weight))
    model = try description.rewardModel.map { try Scorer(rewardModel: $0, beside: tuned) }
    modelWeight = description.rewardModelWeight
  }

  /// What metrics call each of them; the reward model comes last.
  var names: [String] { rewards.rewards.map(\.name) + (model == nil ? [] : ["reward_model"]) }

  /// Gives rollouts of these prompts the weighted sum of all.
  ///
  /// - Returns: the rewards by function: [function][rollout].
  /// - Throws: `DatasetError` that names the row whose completion a reward function fails on, or `RewardError`.
  func judge(
    _ rollouts: inout [Rollout], of prompts: PromptSet, beside tuned: TunedModel, batchSize: Int
  ) throws -> [[Double]] {
    var byFunction = try prompts.reward(&rollouts, by: rewards)
    guard let model else { return byFunction }
    let scores = try model.scores(of: rollouts, batchSize: batchSize, beside: tuned)
    for i in rollouts.indices { rollouts[i].reward += modelWeight * scores[i] }
    byFunction.append(scores)
    return byFunction
  }
}

/// A reward function by name, and its weight in the sum.
public struct RewardDescription: Codable, Sendable, Hashable {
  /// As `Reward.init(parsing:)` reads it.
  public var function: String
  public var weight: Double

  public init(_ function: String, weight: Double = 1) { (self.function, self.weight) = (function, weight) }
}

/// What judges a policy's completions, as a run's configuration keeps it.
public struct JudgeDescription: Codable, Sendable, Hashable {
  /// Empty where there is a reward model alone, or the program gives functions of its own.
  public var rewards: [RewardDescription]
  /// A run of ``RewardModel``, or a folder that `AutoModelForSequenceClassification` loads.
  public var rewardModel: String?
  /// SHA-256 of its weights; nil until they are read.
  public var rewardModelHash: String?
  public var rewardModelWeight: Double

  public init(rewards: [RewardDescription] = [], rewardModel: String? = nil, rewardModelWeight: Double = 1) {
    (self.rewards, self.rewardModelWeight) = (rewards, rewardModelWeight)
    self.rewardModel = rewardModel.map(absolutePath)
  }

  /// The same with the hash of the reward model's weights.
  ///
  /// - Throws: ``AlignmentError/otherRewardModel(path:)`` where it has the hash of others.
  func hashed() throws -> JudgeDescription {
    guard let path = rewardModel else { return self }
    // A run's adapter scores beside its base, and its model anywhere else.
    let adapter = try AdapterRun(path)?.adapter
    let folders = [path, "\(path)/model", adapter].compactMap { $0 }.filter(pathExists)
    let files = try folders.flatMap { folder in
      try folderEntries(folder).filter { $0.hasSuffix(".safetensors") }.map { "\(folder)/\($0)" }
    }
    let hashes = try files.map { try SHA256.hexadecimal(ofFile: $0) }
    var copy = self
    copy.rewardModelHash = SHA256.hexadecimal(of: Array(hashes.joined(separator: " ").utf8))
    if let known = rewardModelHash, known != copy.rewardModelHash { throw AlignmentError.otherRewardModel(path: path) }
    return copy
  }

  /// The same for a run that may have moved.
  func located(of run: String) throws -> JudgeDescription {
    var copy = self
    copy.rewardModel = try rewardModel.map { try RunFolder.locate($0, of: run) }
    return copy
  }
}

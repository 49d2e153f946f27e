import NablaNN
import NablaTraining

extension TokenAggregation: SettingValue {}
extension ImportanceSampling: SettingValue {}
extension RewardScaling: SettingValue {}

extension GRPO {
  /// ``settings`` describes each field.
  public struct Configuration: Hashable {
    public var tuning = TuningConfiguration()
    /// P: prompts of a rollout.
    public var prompts = 8
    /// G.
    public var groupSize = 8
    public var maximumTokens = 128
    public var temperature: Float = 1
    /// μ: optimizer steps on each rollout.
    public var iterations = 1
    /// β: weight of the KL divergence to the reference.
    public var beta: Float = 0
    public var variant = TokenAggregation.dapo
    public var importanceSampling = ImportanceSampling.token
    public var rewardScaling = RewardScaling.group
    /// ε below and above 1.
    public var clipLow: Float = 0.2
    public var clipHigh: Float = 0.2
    /// C; 0 for no correction.
    public var importanceLimit: Float = 2
    public var masksTruncated = false

    /// The learning rate is lower than that of supervised learning, whose gradients have less noise.
    public init() { (tuning.learningRate, tuning.schedule) = (5e-5, .constant) }
  }
}

extension GRPO.Configuration: Configurable {
  public static let settings: [Setting<GRPO.Configuration>] =
    [
      Setting("prompts", \.prompts, in: .range(1...1 << 20), "Prompts per rollout"),
      Setting("group-size", \.groupSize, in: .range(2...1 << 16), "Completions per prompt"),
      Setting("max-new-tokens", \.maximumTokens, in: .range(1...1 << 20), "Maximum new tokens per completion"),
      Setting("temperature", \.temperature, in: .positive, "Temperature of sampling and of the loss"),
      Setting("iterations", \.iterations, in: .range(1...1 << 16), "Optimizer steps on each rollout"),
      Setting(
        "beta", \.beta, in: .nonNegative, "Weight of the KL divergence to the reference; 0 for no reference"),
      Setting("variant", \.variant, "Aggregation of token losses"),
      Setting(
        "importance-sampling", \.importanceSampling,
        "Probability ratios per token, or per sequence (GSPO)"),
      Setting("scale-rewards", \.rewardScaling, "Standard deviation that advantages are divided by"),
      Setting("clip-low", \.clipLow, in: .fraction, "Clip range of probability ratios below 1"),
      Setting("clip-high", \.clipHigh, in: .nonNegative, "Clip range of probability ratios above 1"),
      Setting(
        "importance-limit", \.importanceLimit, in: .nonNegative,
        "Maximum importance weight that corrects for sampling in other precision; 0 for no correction"),
      Setting("mask-truncated", \.masksTruncated, "Exclusion of truncated completions from the loss"),
    ] + TuningConfiguration.settings.filter { !unused.contains($0.name) }.map { $0.within(\.tuning) }

  /// Settings that do not apply here: a step's batch is the rollout, and a policy with dropout is not the one
  /// that sampled.
  private static let unused: Set<String> = ["gradient-accumulation", "max-length", "lora-dropout", "sample-length"]

  public func validateTogether() throws(ConfigurationError) {
    try tuning.validateTogether()
    try require(
      tuning.loraDropout == 0,
      """
      \(setting: "lora-dropout") must be 0, not \(tuning.loraDropout): with dropout the trained policy is not the one \
      that sampled
      """)
  }
}

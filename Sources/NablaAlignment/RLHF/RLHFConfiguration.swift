import NablaNN
import NablaTraining

extension KLEstimator: SettingValue {}

extension RLHF {
  /// ``settings`` says what each field means.
  public struct Configuration: Hashable {
    public var tuning = TuningConfiguration()
    /// Prompts of a rollout, with one completion each.
    public var prompts = 64
    public var maximumTokens = 64
    public var temperature: Float = 1
    /// Passes over each rollout.
    public var ppoEpochs = 4
    /// Optimizer steps of a pass.
    public var miniBatches = 1
    /// β, or where it starts with a target.
    public var klCoefficient = 0.05
    public var klEstimator = KLEstimator.k1
    /// Target KL in nats per completion; nil for a fixed β.
    public var klTarget: Double?
    /// Episodes in which β may change by a fifth of itself.
    public var klHorizon = 10_000.0
    /// ε of the policy's ratio, and of the value.
    public var clipRange: Float = 0.2
    public var valueClipRange: Float = 0.2
    public var valueCoefficient: Float = 0.1
    /// γ and λ.
    public var discount: Float = 1
    public var lambda: Float = 0.95
    public var whitensRewards = false
    public var missingEndPenalty: Float = 0
    /// C; 0 for no importance weights.
    public var importanceLimit: Float = 2

    /// The learning rate is lower than that of supervised learning, whose gradients have less noise.
    public init() { (tuning.learningRate, tuning.schedule) = (5e-5, .constant) }
  }
}

extension RLHF.Configuration: Configurable {
  public static let settings: [Setting<RLHF.Configuration>] =
    ownSettings + TuningConfiguration.settings.filter { !unused.contains($0.name) }.map { $0.within(\.tuning) }

  private static let ownSettings: [Setting<RLHF.Configuration>] = [
    Setting("prompts", \.prompts, in: .range(1...1 << 20), "Prompts per rollout, with one completion each"),
    Setting("max-new-tokens", \.maximumTokens, in: .range(1...1 << 20), "Maximum new tokens per completion"),
    Setting("temperature", \.temperature, in: .positive, "Temperature of sampling and of the loss"),
    Setting("ppo-epochs", \.ppoEpochs, in: .range(1...1 << 10), "Passes over each rollout"),
    Setting("mini-batches", \.miniBatches, in: .range(1...1 << 16), "Optimizer steps per pass"),
    Setting("kl-coefficient", \.klCoefficient, in: .nonNegative, "β: weight of the KL penalty on each token"),
    Setting("kl-estimator", \.klEstimator, "Estimator of the KL divergence of a token"),
    Setting(
      "kl-target", \.klTarget, in: .optional(.positive),
      "Target KL per completion, in nats, for an adaptive β; without it β is fixed", valueName: "nats"),
    Setting("kl-horizon", \.klHorizon, in: .positive, "Episodes in which an adaptive β changes by at most a fifth"),
    Setting("clip-range", \.clipRange, in: .positive, "Clip range of probability ratios around 1"),
    Setting("value-clip-range", \.valueClipRange, in: .nonNegative, "Clip range of the value loss; 0 for no clipping"),
    Setting("value-coefficient", \.valueCoefficient, in: .nonNegative, "Weight of the value loss"),
    Setting("discount", \.discount, in: .range(0...1), "Discount γ"),
    Setting("lambda", \.lambda, in: .range(0...1), "λ of generalized advantage estimation"),
    Setting("whiten-rewards", \.whitensRewards, "Rewards divided by their standard deviation"),
    Setting(
      "missing-eos-penalty", \.missingEndPenalty, in: .nonNegative,
      "Subtracted from the score of a truncated completion"),
    Setting(
      "importance-limit", \.importanceLimit, in: .nonNegative,
      "Maximum importance weight that corrects for sampling in other precision; 0 for no correction"),
  ]

  /// As of GRPO.
  private static let unused: Set<String> = ["gradient-accumulation", "max-length", "lora-dropout", "sample-length"]

  public func validateTogether() throws(ConfigurationError) {
    try tuning.validateTogether()
    try require(
      tuning.loraDropout == 0,
      "\(setting: "lora-dropout") must be 0, not \(tuning.loraDropout): with dropout the policy is not the one that sampled"
    )
    try require(
      klTarget == nil || klCoefficient > 0,
      "\(setting: "kl-coefficient") must be more than 0 with \(setting: "kl-target"): β is multiplied, and 0 stays 0"
    )
    try require(
      klTarget == nil || klHorizon > 0.2 * Double(prompts),
      "\(setting: "kl-horizon") must be more than a fifth of \(setting: "prompts"), or one rollout could turn β negative"
    )
    let parts = (prompts + tuning.batchSize - 1) / tuning.batchSize
    try require(
      miniBatches <= parts,
      "\(setting: "mini-batches") is \(miniBatches): a rollout has only \(parts) times \(setting: "batch-size") prompts"
    )
  }

  /// Optimizer steps on a rollout.
  var updates: Int { ppoEpochs * miniBatches }

  /// What the loop counts are optimizer steps, what the configuration counts rollouts.
  var loopConfiguration: TuningConfiguration {
    var c = tuning
    c.steps = tuning.steps.map { $0 * updates }
    c.warmup = tuning.warmup * updates
    return c
  }
}

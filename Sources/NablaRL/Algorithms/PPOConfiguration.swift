import NablaTensor
import NablaTraining

/// The settings of ``PPO``. The defaults are those of Stable-Baselines3, except for the steps.
public struct PPOConfiguration: LearnerConfiguration, Hashable {
  public static let algorithm = "ppo"

  /// N: environments stepped in parallel.
  public var environmentCount = 8
  /// T: steps in each environment from one update to the next.
  public var rolloutSteps = 256
  /// Total environment steps, over all environments.
  public var totalSteps = 100_000
  /// Rows of a minibatch; at most N·T.
  public var minibatchSize = 64
  /// Passes over a rollout.
  public var epochs = 10
  /// The learning rate of Adam.
  public var learningRate: Float = 3e-4
  /// Whether the learning rate decays linearly to 0.
  public var annealsLearningRate = false
  /// Adam's ε.
  public var adamEpsilon: Float = 1e-5
  /// γ, per step.
  public var discount: Float = 0.99
  /// λ of generalized advantage estimation.
  public var lambda: Float = 0.95
  /// ε: how far the ratio may move before the objective is flat.
  public var clipRange: Float = 0.2
  /// Whether ε decays linearly to 0.
  public var annealsClipRange = false
  /// How far a value may move before its loss is flat; 0 for no limit.
  public var valueClipRange: Float = 0
  /// c_v: weight of the value loss.
  public var valueCoefficient: Float = 0.5
  /// c_H: weight of the entropy bonus.
  public var entropyCoefficient: Float = 0
  /// The maximum global gradient norm; 0 for no clipping.
  public var maxGradientNorm: Float = 0.5
  /// Whether the advantages of each minibatch are normalized.
  public var normalizesAdvantages = true
  /// An update ends early once the approximate KL exceeds 1.5 times this; 0 for never.
  public var targetKL: Float = 0
  /// Sizes of the hidden layers.
  public var hiddenWidths = [64, 64]
  /// The activation between layers.
  public var activation = Activation.tanh
  /// Whether policy and value share one network.
  public var sharesNetwork = false
  /// Whether continuous actions are squashed by tanh instead of clipped.
  public var squashesActions = false
  /// Initial ln σ of continuous actions.
  public var initialLogStandardDeviation: Float = 0
  /// Whether observations are normalized with running statistics.
  public var normalizesObservations = false
  /// Whether rewards are divided by the running standard deviation of the discounted return.
  public var normalizesRewards = false
  /// The seed of initial weights, episodes, actions and shuffles.
  public var seed: UInt64 = 1

  public init() {}

  public var stepsPerUpdate: Int { environmentCount * rolloutSteps }

  public static let settings: [Setting<PPOConfiguration>] =
    commonSettings + [
      Setting(
        "rollout-steps", \.rolloutSteps, in: .range(1...1 << 20),
        "Steps in each environment from one update to the next"),
      Setting("minibatch-size", \.minibatchSize, "Rows of a minibatch"),
      Setting("epochs", \.epochs, in: .range(1...10_000), "Passes over a rollout"),
      Setting("lambda", \.lambda, in: .range(0...1), "λ of generalized advantage estimation"),
      Setting("clip-range", \.clipRange, in: .range(1e-6...10), "ε of the clipped objective"),
      Setting("anneal-clip-range", \.annealsClipRange, "Linear decay of the clip range to 0"),
      Setting(
        "value-clip-range", \.valueClipRange, in: .nonNegative, "Clip range of the value loss; 0 for no clipping"),
      Setting("value-coefficient", \.valueCoefficient, in: .nonNegative, "Weight of the value loss"),
      Setting("entropy-coefficient", \.entropyCoefficient, in: .finite, "Weight of the entropy bonus"),
      Setting("normalize-advantages", \.normalizesAdvantages, "Advantages normalized in each minibatch"),
      Setting(
        "target-kl", \.targetKL, in: .nonNegative, "An update ends above 1.5 times this KL, in nats; 0 for never"),
    ]

  public func validateTogether() throws(ConfigurationError) {
    try require(
      stepsPerUpdate <= 1 << 24,
      "\(setting: "environments") times \(setting: "rollout-steps") is \(stepsPerUpdate), more than \(1 << 24)")
    try require(
      (1...stepsPerUpdate).contains(minibatchSize),
      """
      \(setting: "minibatch-size") must be between 1 and the \(stepsPerUpdate) steps of a rollout \
      (\(setting: "environments") times \(setting: "rollout-steps")), not \(minibatchSize)
      """)
  }

  public func makeLearner(_ environments: VectorEnvironment) throws -> any Learner {
    try PPO(self, in: environments)
  }
}

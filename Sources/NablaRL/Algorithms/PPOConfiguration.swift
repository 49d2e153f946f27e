import NablaTensor

/// How ``PPO`` trains. The defaults are those of Stable-Baselines3, but for the steps.
public struct PPOConfiguration: LearnerConfiguration, Hashable {
  public static let algorithm = "ppo"

  /// N: environments stepped side by side.
  public var environmentCount = 8
  /// T: steps in each environment from one update to the next.
  public var rolloutSteps = 256
  /// Environment steps of the whole training, over all environments.
  public var totalSteps = 100_000
  /// Rows of a minibatch; at most N·T.
  public var minibatchSize = 64
  /// Passes over a rollout.
  public var epochs = 10
  /// Adam's.
  public var learningRate: Float = 3e-4
  /// Whether the learning rate goes down in a straight line to 0 at the end.
  public var annealsLearningRate = false
  /// Adam's ε.
  public var adamEpsilon: Float = 1e-5
  /// γ, a step.
  public var discount: Float = 0.99
  /// λ of generalised advantage estimation.
  public var lambda: Float = 0.95
  /// ε: how far the ratio may move before the objective is flat.
  public var clipRange: Float = 0.2
  /// Whether ε goes down in a straight line to 0 at the end.
  public var annealsClipRange = false
  /// How far a value may move before its loss is flat; 0 for no limit.
  public var valueClipRange: Float = 0
  /// c_v: weight of the value loss.
  public var valueCoefficient: Float = 0.5
  /// c_H: weight of the entropy bonus.
  public var entropyCoefficient: Float = 0
  /// The largest global norm of the gradient; 0 for no clipping.
  public var maxGradientNorm: Float = 0.5
  /// Whether the advantages of each minibatch are normalised.
  public var normalizesAdvantages = true
  /// An update ends early once the approximate KL exceeds 1.5 times this; 0 for never.
  public var targetKL: Float = 0
  /// Widths of the hidden layers.
  public var hiddenWidths = [64, 64]
  /// Between layers.
  public var activation = Activation.tanh
  /// Whether policy and value are one network.
  public var sharesNetwork = false
  /// Whether continuous actions are squashed by tanh instead of clipped.
  public var squashesActions = false
  /// ln σ of continuous actions at the start.
  public var initialLogStandardDeviation: Float = 0
  /// Whether observations are normalised by running statistics.
  public var normalizesObservations = false
  /// Whether rewards are divided by the running standard deviation of the discounted return.
  public var normalizesRewards = false
  /// The source of initial weights, episodes, actions and shuffles.
  public var seed: UInt64 = 1

  public init() {}

  public var stepsPerUpdate: Int { environmentCount * rolloutSteps }

  public func validate() throws(LearningError) {
    try validateCommon()
    try require((1...1 << 20).contains(rolloutSteps), "--rollout-steps must be at least 1, not \(rolloutSteps)")
    try require(
      stepsPerUpdate <= 1 << 24, "--environments times --rollout-steps is \(stepsPerUpdate), more than \(1 << 24)")
    try require(
      (1...stepsPerUpdate).contains(minibatchSize),
      "--minibatch-size must be between 1 and the \(stepsPerUpdate) steps of a rollout (--environments times "
        + "--rollout-steps), not \(minibatchSize)")
    try require((1...10_000).contains(epochs), "--epochs must be between 1 and 10000, not \(epochs)")
    try require(lambda >= 0 && lambda <= 1, "--lambda must be between 0 and 1, not \(lambda)")
    try require(clipRange > 0 && clipRange.isFinite, "--clip-range must be positive, not \(clipRange)")
    try require(
      valueClipRange >= 0 && valueClipRange.isFinite, "--value-clip-range must be 0 or more, not \(valueClipRange)")
    try require(
      valueCoefficient >= 0 && valueCoefficient.isFinite,
      "--value-coefficient must be 0 or more, not \(valueCoefficient)")
    try require(entropyCoefficient.isFinite, "--entropy-coefficient must be a number, not \(entropyCoefficient)")
    try require(maxGradientNorm >= 0, "--max-gradient-norm must be 0 or more, not \(maxGradientNorm)")
    try require(targetKL >= 0, "--target-kl must be 0 or more, not \(targetKL)")
  }

  public func makeLearner(_ environments: VectorEnvironment) throws -> any Learner {
    try PPO(self, in: environments)
  }
}

import NablaNN
import NablaTensor
import NablaTraining

/// The policy gradient in its simplest form (Williams 1992): run whole episodes, then one step on
///
///     L = mean -(G_t - b(s_t))·ln π(a_t|s_t),   G_t = r_t + γ·r_{t+1} + γ²·r_{t+2} + …
///
/// with b = 0, or with a baseline b = V(s), which leaves the gradient's mean unchanged and lowers its variance.
///
/// Each update runs one episode in every environment. An episode cut off by a time limit counts as terminated; with
/// a baseline, the value of its last observation replaces the rewards that would have followed.
public final class REINFORCE: Learner {
  public let configuration: REINFORCEConfiguration
  public let session: LearningSession

  /// - Throws: `ConfigurationError`, or what resetting the environments throws.
  public init(_ configuration: REINFORCEConfiguration, in environments: VectorEnvironment) throws {
    self.configuration = configuration
    session = try LearningSession(configuration, environments, steps: configuration.maximumEpisodeSteps)
  }

  /// In a built-in environment.
  public convenience init(_ configuration: REINFORCEConfiguration, in environment: String) throws {
    try self.init(configuration, in: VectorEnvironment(environment, count: configuration.environmentCount))
  }

  public func update() throws -> UpdateMetrics {
    try measured {
      let c = configuration
      let lengths = try session.collectEpisodes()
      let n = lengths.count
      // Environments whose episode is over have waited: their steps meanwhile are ignored.
      let rows = (0..<session.rollout.rows).filter { $0 / n < lengths[$0 % n] }
      session.estimate(lambda: 1, usesValues: c.usesBaseline)
      var batch = session.rollout.batch(rows[...], withOldPolicy: false)
      if c.normalizesAdvantages { batch = batch.normalizingAdvantages() }
      var metrics = try session.step(
        on: batch, valueCoefficient: c.usesBaseline ? c.valueCoefficient : 0,
        entropyCoefficient: c.entropyCoefficient)
      if !c.usesBaseline { metrics.valueLoss = 0 }
      return (rows.count, metrics)
    }
  }
}

/// The settings of ``REINFORCE``.
public struct REINFORCEConfiguration: LearnerConfiguration, Hashable {
  public static let algorithm = "reinforce"

  /// N: episodes of an update, one in each environment.
  public var environmentCount = 8
  /// Steps after which an episode that has not ended is cut off.
  public var maximumEpisodeSteps = 1000
  /// Total environment steps, over all environments.
  public var totalSteps = 100_000
  /// Whether V(s) is subtracted from the returns.
  public var usesBaseline = true
  /// The learning rate of Adam.
  public var learningRate: Float = 1e-3
  /// Whether the learning rate decays linearly to 0.
  public var annealsLearningRate = false
  /// Adam's ε.
  public var adamEpsilon: Float = 1e-5
  /// γ, per step.
  public var discount: Float = 0.99
  /// c_v: weight of the value loss, with a baseline.
  public var valueCoefficient: Float = 0.5
  /// c_H: weight of the entropy bonus.
  public var entropyCoefficient: Float = 0
  /// The maximum global gradient norm; 0 for no clipping.
  public var maxGradientNorm: Float = 0.5
  /// Whether G - b is normalized over an update. Without a baseline this acts as one: the mean.
  public var normalizesAdvantages = false
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
  /// The seed of initial weights, episodes and actions.
  public var seed: UInt64 = 1

  public init() {}

  /// An estimate: an update takes as long as its episodes.
  public var stepsPerUpdate: Int { environmentCount * maximumEpisodeSteps }

  public static let settings: [Setting<REINFORCEConfiguration>] =
    commonSettings + [
      Setting(
        "maximum-episode-steps", \.maximumEpisodeSteps, in: .range(1...1 << 20),
        "Steps after which an episode is truncated"),
      Setting("baseline", \.usesBaseline, "Value function as a baseline, subtracted from the returns"),
      Setting("value-coefficient", \.valueCoefficient, in: .nonNegative, "Weight of the value loss"),
      Setting("entropy-coefficient", \.entropyCoefficient, in: .finite, "Weight of the entropy bonus"),
      Setting("normalize-advantages", \.normalizesAdvantages, "Advantages normalized in each update"),
    ]

  public func validateTogether() throws(ConfigurationError) {
    try require(
      stepsPerUpdate <= 1 << 24,
      """
      \(setting: "environments") times \(setting: "maximum-episode-steps") must be between 1 and \(1 << 24), not \
      \(stepsPerUpdate)
      """)
  }

  public func makeLearner(_ environments: VectorEnvironment) throws -> any Learner {
    try REINFORCE(self, in: environments)
  }
}

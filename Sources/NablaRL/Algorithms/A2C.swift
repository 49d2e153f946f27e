import CNablaKernels
import NablaNN
import NablaTensor
import NablaTraining

/// Advantage actor-critic (Mnih et al. 2016, "Asynchronous methods for deep reinforcement learning", without the
/// asynchrony): one gradient step per rollout on
///
///     L = mean -Â·ln π(a|s) + c_v·mean (V(s) - R)² - c_H·H
///
/// Samples are used once, so the policy need not be kept close to the one that acted: rollouts are short instead.
public final class A2C: Learner {
  public let configuration: A2CConfiguration
  public let session: LearningSession

  /// - Throws: `ConfigurationError`, or what resetting the environments throws.
  public init(_ configuration: A2CConfiguration, in environments: VectorEnvironment) throws {
    self.configuration = configuration
    session = try LearningSession(configuration, environments, steps: configuration.rolloutSteps)
  }

  /// In a built-in environment.
  public convenience init(_ configuration: A2CConfiguration, in environment: String) throws {
    try self.init(configuration, in: VectorEnvironment(environment, count: configuration.environmentCount))
  }

  public func update() throws -> UpdateMetrics {
    try measured {
      let c = configuration
      try session.collect()
      session.estimate(lambda: c.lambda)
      var batch = session.rollout.batch(nil, withOldPolicy: false)
      if c.normalizesAdvantages { batch = batch.normalizingAdvantages() }
      var metrics = try session.step(
        on: batch, valueCoefficient: c.valueCoefficient, entropyCoefficient: c.entropyCoefficient)
      let explained = session.rollout.explainedVariance
      metrics.explainedVariance = explained.isNaN ? nil : explained
      return (session.rollout.rows, metrics)
    }
  }
}

/// The plain policy-gradient loss, with a value function and an entropy bonus:
///
///     L = -mean Â·ln π(a|s) + c_v·mean (V - R)² - c_H·mean H
///
/// ``A2C`` and ``REINFORCE`` minimize it in its fused form, `ActorCritic.loss`; a test checks that the two are equal.
func policyGradientLoss(
  _ output: ActorCritic.Output, _ batch: PolicyBatch, valueCoefficient: Float, entropyCoefficient: Float
) -> Tensor {
  let objective = (batch.advantages * output.logProbabilities(of: batch.actions)).mean()
  let valueLoss = valueLoss(values: output.values, returns: batch.returns).mean()
  return -objective + valueLoss * Tensor(valueCoefficient) - output.entropy.mean() * Tensor(entropyCoefficient)
}

extension LearningSession {
  /// One gradient step of the plain policy-gradient loss.
  func step(
    on batch: PolicyBatch, valueCoefficient: Float, entropyCoefficient: Float
  ) throws -> UpdateMetrics {
    let settings = nabla_policy_loss(
      clip_range: 0, value_clip_range: 0, value_coefficient: valueCoefficient,
      entropy_coefficient: entropyCoefficient)
    var statistics = nabla_policy_statistics()
    let (loss, gradients) = valueAndGradient(of: agent.network) { network in
      let (loss, parts) = network.loss(batch, settings)
      statistics = parts
      return loss
    }
    let step = try optimization.apply(gradients, loss: Double(loss.item()), to: agent.network)
    var metrics = UpdateMetrics()
    metrics.policyLoss = statistics.policy_loss
    metrics.valueLoss = statistics.value_loss
    metrics.entropy = statistics.entropy
    metrics.gradientNorm = step.gradientNorm
    metrics.epochs = 1
    return metrics
  }
}

/// The settings of ``A2C``. The defaults are those of Stable-Baselines3, except for the optimizer (Adam instead of
/// RMSProp) and the steps.
public struct A2CConfiguration: LearnerConfiguration, Hashable {
  public static let algorithm = "a2c"

  /// N: environments stepped in parallel.
  public var environmentCount = 8
  /// T: steps in each environment from one update to the next.
  public var rolloutSteps = 5
  /// Total environment steps, over all environments.
  public var totalSteps = 100_000
  /// The learning rate of Adam.
  public var learningRate: Float = 7e-4
  /// Whether the learning rate decays linearly to 0.
  public var annealsLearningRate = false
  /// Adam's ε.
  public var adamEpsilon: Float = 1e-5
  /// γ, per step.
  public var discount: Float = 0.99
  /// λ of generalized advantage estimation; 1 is the sum of all rewards of the rollout.
  public var lambda: Float = 1
  /// c_v: weight of the value loss.
  public var valueCoefficient: Float = 0.5
  /// c_H: weight of the entropy bonus.
  public var entropyCoefficient: Float = 0
  /// The maximum global gradient norm; 0 for no clipping.
  public var maxGradientNorm: Float = 0.5
  /// Whether the advantages of each rollout are normalized.
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

  public var stepsPerUpdate: Int { environmentCount * rolloutSteps }

  public static let settings: [Setting<A2CConfiguration>] =
    commonSettings + [
      Setting(
        "rollout-steps", \.rolloutSteps, in: .range(1...1 << 20),
        "Steps in each environment from one update to the next"),
      Setting("lambda", \.lambda, in: .range(0...1), "λ of generalized advantage estimation"),
      Setting("value-coefficient", \.valueCoefficient, in: .nonNegative, "Weight of the value loss"),
      Setting("entropy-coefficient", \.entropyCoefficient, in: .finite, "Weight of the entropy bonus"),
      Setting("normalize-advantages", \.normalizesAdvantages, "Advantages normalized in each rollout"),
    ]

  public func validateTogether() throws(ConfigurationError) {
    try require(
      stepsPerUpdate <= 1 << 24,
      "\(setting: "environments") times \(setting: "rollout-steps") is \(stepsPerUpdate), more than \(1 << 24)")
  }

  public func makeLearner(_ environments: VectorEnvironment) throws -> any Learner {
    try A2C(self, in: environments)
  }
}

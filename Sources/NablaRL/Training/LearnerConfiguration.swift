import NablaTensor
import NablaTraining

/// The settings that every policy-gradient algorithm has. Each algorithm's configuration is one flat struct of its own.
public protocol LearnerConfiguration: Configurable {
  /// The algorithm's name.
  static var algorithm: String { get }
  /// N: environments stepped side by side.
  var environmentCount: Int { get set }
  /// Environment steps of the whole training, over all environments.
  var totalSteps: Int { get set }
  /// Environment steps from one update to the next, over all environments.
  var stepsPerUpdate: Int { get }
  /// Adam's.
  var learningRate: Float { get set }
  /// Whether the learning rate goes down in a straight line to 0 at the end.
  var annealsLearningRate: Bool { get set }
  /// Adam's ε.
  var adamEpsilon: Float { get set }
  /// γ, a step.
  var discount: Float { get set }
  /// Widths of the hidden layers.
  var hiddenWidths: [Int] { get set }
  /// Between layers.
  var activation: Activation { get set }
  /// Whether policy and value are one network.
  var sharesNetwork: Bool { get set }
  /// Whether continuous actions are squashed by tanh instead of clipped.
  var squashesActions: Bool { get set }
  /// ln σ of continuous actions at the start.
  var initialLogStandardDeviation: Float { get set }
  /// Whether observations are normalised by running statistics.
  var normalizesObservations: Bool { get set }
  /// Whether rewards are divided by the running standard deviation of the discounted return.
  var normalizesRewards: Bool { get set }
  /// The source of initial weights, episodes, actions and shuffles.
  var seed: UInt64 { get set }
  /// The largest global norm of the gradient; 0 for no clipping.
  var maxGradientNorm: Float { get set }
  /// The algorithm with these settings.
  func makeLearner(_ environments: VectorEnvironment) throws -> any Learner
}

extension LearnerConfiguration {
  /// The settings that all algorithms have.
  static var commonSettings: [Setting<Self>] {
    [
      Setting("environments", \.environmentCount, in: .range(1...1 << 20), "Environments stepped side by side"),
      Setting("total-steps", \.totalSteps, in: .range(1...1 << 40), "Environment steps of the whole training"),
      Setting("learning-rate", \.learningRate, in: .positive, "Adam's learning rate", valueName: "rate"),
      Setting("anneal-learning-rate", \.annealsLearningRate, "Linear decay of the learning rate to 0"),
      Setting("adam-epsilon", \.adamEpsilon, in: .positive, "Adam's ε"),
      Setting("discount", \.discount, in: .range(0...1), "Discount γ: what a reward one step later is worth"),
      Setting(
        "max-gradient-norm", \.maxGradientNorm, in: .nonNegative, "Maximum global gradient norm; 0 for no clipping"),
      Setting(
        "hidden-widths", \.hiddenWidths,
        in: SettingRange("at most 16 numbers between 1 and 16384") {
          $0.count <= 16 && $0.allSatisfy { (1...1 << 14).contains($0) }
        }, "Hidden sizes, such as 64,64"),
      Setting("activation", \.activation, "Activation between layers"),
      Setting("shared-network", \.sharesNetwork, "One network for policy and value"),
      Setting("squash-actions", \.squashesActions, "Continuous actions squashed by tanh in place of clipping"),
      Setting(
        "initial-log-standard-deviation", \.initialLogStandardDeviation,
        in: SettingRange("within ±20") { abs($0) <= 20 }, "Initial ln σ of continuous actions"),
      Setting("normalize-observations", \.normalizesObservations, "Observations normalized by running statistics"),
      Setting(
        "normalize-rewards", \.normalizesRewards, "Rewards divided by the running standard deviation of the return"),
      Setting("seed", \.seed, in: .seed, "Seed of weights, episodes and actions: the same seed gives the same run"),
    ]
  }

  func architecture(for environments: VectorEnvironment) -> PolicyArchitecture {
    var architecture = PolicyArchitecture(
      observationCount: environments.observationSpace.count, actionSpace: environments.actionSpace)
    architecture.hiddenWidths = hiddenWidths
    architecture.activation = activation
    architecture.sharesNetwork = sharesNetwork
    architecture.squashesActions = squashesActions
    architecture.initialLogStandardDeviation = initialLogStandardDeviation
    return architecture
  }
}

extension Activation: SettingValue {}

import NablaTensor
import NablaTraining

/// The settings that every policy-gradient algorithm has. Each algorithm's configuration is one flat struct.
public protocol LearnerConfiguration: Configurable {
  /// The algorithm's name.
  static var algorithm: String { get }
  /// N: environments stepped in parallel.
  var environmentCount: Int { get set }
  /// Total environment steps, over all environments.
  var totalSteps: Int { get set }
  /// Environment steps from one update to the next, over all environments.
  var stepsPerUpdate: Int { get }
  /// The learning rate of Adam.
  var learningRate: Float { get set }
  /// Whether the learning rate decays linearly to 0.
  var annealsLearningRate: Bool { get set }
  /// Adam's ε.
  var adamEpsilon: Float { get set }
  /// γ, per step.
  var discount: Float { get set }
  /// Sizes of the hidden layers.
  var hiddenWidths: [Int] { get set }
  /// The activation between layers.
  var activation: Activation { get set }
  /// Whether policy and value share one network.
  var sharesNetwork: Bool { get set }
  /// Whether continuous actions are squashed by tanh instead of clipped.
  var squashesActions: Bool { get set }
  /// Initial ln σ of continuous actions.
  var initialLogStandardDeviation: Float { get set }
  /// Whether observations are normalized with running statistics.
  var normalizesObservations: Bool { get set }
  /// Whether rewards are divided by the running standard deviation of the discounted return.
  var normalizesRewards: Bool { get set }
  /// The seed of initial weights, episodes, actions and shuffles.
  var seed: UInt64 { get set }
  /// The maximum global gradient norm; 0 for no clipping.
  var maxGradientNorm: Float { get set }
  /// The algorithm with these settings.
  func makeLearner(_ environments: VectorEnvironment) throws -> any Learner
}

extension LearnerConfiguration {
  /// The settings that all algorithms have.
  static var commonSettings: [Setting<Self>] {
    [
      Setting("environments", \.environmentCount, in: .range(1...1 << 20), "Environments stepped in parallel"),
      Setting("total-steps", \.totalSteps, in: .range(1...1 << 40), "Total environment steps"),
      Setting("learning-rate", \.learningRate, in: .positive, "Adam's learning rate", valueName: "rate"),
      Setting("anneal-learning-rate", \.annealsLearningRate, "Linear decay of the learning rate to 0"),
      Setting("adam-epsilon", \.adamEpsilon, in: .positive, "Adam's ε"),
      Setting("discount", \.discount, in: .range(0...1), "Discount factor γ per step"),
      Setting(
        "max-gradient-norm", \.maxGradientNorm, in: .nonNegative, "Maximum global gradient norm; 0 for no clipping"),
      Setting(
        "hidden-widths", \.hiddenWidths,
        in: SettingRange("at most 16 numbers between 1 and 16384") {
          $0.count <= 16 && $0.allSatisfy { (1...1 << 14).contains($0) }
        }, "Sizes of the hidden layers, such as 64,64"),
      Setting("activation", \.activation, "Activation between layers"),
      Setting("shared-network", \.sharesNetwork, "Shared network for policy and value"),
      Setting("squash-actions", \.squashesActions, "Continuous actions squashed by tanh instead of clipped"),
      Setting(
        "initial-log-standard-deviation", \.initialLogStandardDeviation,
        in: SettingRange("within ±20") { abs($0) <= 20 }, "Initial ln σ of continuous actions"),
      Setting(
        "normalize-observations", \.normalizesObservations, "Normalization of observations with running statistics"),
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

import NablaTensor

/// The settings that every policy-gradient algorithm has. Each algorithm's configuration is one flat struct of its own.
public protocol LearnerConfiguration: Codable, Sendable {
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
  /// - Throws: ``LearningError/badSetting(_:)``, which names the setting.
  func validate() throws(LearningError)
  /// The algorithm with these settings.
  func makeLearner(_ environments: VectorEnvironment) throws -> any Learner
}

extension LearnerConfiguration {
  func require(_ condition: Bool, _ problem: @autoclosure () -> String) throws(LearningError) {
    if !condition { throw LearningError.badSetting(problem()) }
  }

  /// Checks the settings that all algorithms have.
  func validateCommon() throws(LearningError) {
    try require(
      (1...1 << 20).contains(environmentCount), "--environments must be between 1 and 1048576, not \(environmentCount)")
    try require(
      (1...1 << 40).contains(totalSteps), "--total-steps must be between 1 and \(1 << 40), not \(totalSteps)")
    try require(learningRate > 0 && learningRate.isFinite, "--learning-rate must be positive, not \(learningRate)")
    try require(adamEpsilon > 0 && adamEpsilon.isFinite, "--adam-epsilon must be positive, not \(adamEpsilon)")
    try require(discount >= 0 && discount <= 1, "--discount must be between 0 and 1, not \(discount)")
    try require(
      hiddenWidths.count <= 16 && hiddenWidths.allSatisfy { (1...1 << 14).contains($0) },
      "--hidden-widths must be at most 16 numbers between 1 and 16384, not \(hiddenWidths)")
    try require(
      initialLogStandardDeviation.isFinite && abs(initialLogStandardDeviation) <= 20,
      "--initial-log-standard-deviation must be within ±20, not \(initialLogStandardDeviation)")
    // JSON, which keeps it, has whole numbers up to here.
    try require(seed <= UInt64(Int.max), "--seed must be at most \(Int.max), not \(seed)")
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

/// Why a training cannot start or go on.
public enum LearningError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A setting that makes no sense.
  case badSetting(String)
  /// The numbers have left the finite ones.
  case diverged(step: Int, what: String)
  /// A saved state that does not fit.
  case badState(String)

  public var description: String {
    switch self {
    case .badSetting(let problem): problem
    case .diverged(let step, let what):
      "training has diverged at step \(step): \(what) is not finite. Start anew with a lower --learning-rate"
    case .badState(let problem): "the saved state cannot be used: \(problem)"
    }
  }
}

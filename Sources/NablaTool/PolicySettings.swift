import ArgumentParser
import Nabla

/// Flags that change the settings of an algorithm. Which it has, it knows itself: others are refused.
struct PolicySettings: ParsableArguments {
  @Option(help: ArgumentHelp("Environments stepped side by side.", valueName: "n")) var environments: Int?
  @Option(help: ArgumentHelp("Environment steps of the whole training.", valueName: "n")) var totalSteps: Int?
  @Option(help: ArgumentHelp("Steps in each environment from one update to the next.", valueName: "n"))
  var rolloutSteps: Int?
  @Option(help: ArgumentHelp("Rows of a minibatch.", valueName: "n")) var minibatchSize: Int?
  @Option(help: ArgumentHelp("Passes over a rollout.", valueName: "n")) var epochs: Int?
  @Option(help: ArgumentHelp("Adam's learning rate.", valueName: "rate")) var learningRate: Double?
  @Flag(inversion: .prefixedNo, help: "Lower the learning rate in a straight line to 0.")
  var annealLearningRate: Bool?
  @Option(help: ArgumentHelp("Adam's ε.", valueName: "x")) var adamEpsilon: Double?
  @Option(help: ArgumentHelp("γ: what a reward one step later is worth.", valueName: "x")) var discount: Double?
  @Option(help: ArgumentHelp("λ of generalised advantage estimation.", valueName: "x")) var lambda: Double?
  @Option(help: ArgumentHelp("ε of the clipped objective.", valueName: "x")) var clipRange: Double?
  @Flag(inversion: .prefixedNo, help: "Lower the clip range in a straight line to 0.")
  var annealClipRange: Bool?
  @Option(help: ArgumentHelp("How far a value may move in an update; 0 for no limit.", valueName: "x"))
  var valueClipRange: Double?
  @Option(help: ArgumentHelp("Weight of the value loss.", valueName: "x")) var valueCoefficient: Double?
  @Option(help: ArgumentHelp("Weight of the entropy bonus.", valueName: "x")) var entropyCoefficient: Double?
  @Option(help: ArgumentHelp("Largest norm of all gradients together; 0 for no limit.", valueName: "x"))
  var maxGradientNorm: Double?
  @Flag(inversion: .prefixedNo, help: "Normalise the advantages of each minibatch.")
  var normalizeAdvantages: Bool?
  @Option(help: ArgumentHelp("End an update early above 1.5 times this KL, in nats; 0 for never.", valueName: "x"))
  var targetKl: Double?
  @Option(help: ArgumentHelp("Widths of the hidden layers, as 64,64.", valueName: "n,n")) var hiddenWidths: String?
  @Option(help: "Between layers.") var activation: String?
  @Flag(inversion: .prefixedNo, help: "One network for policy and value.") var sharedNetwork: Bool?
  @Flag(inversion: .prefixedNo, help: "Squash continuous actions by tanh instead of clipping them.")
  var squashActions: Bool?
  @Option(help: ArgumentHelp("ln σ of continuous actions at the start.", valueName: "x"))
  var initialLogStandardDeviation: Double?
  @Flag(inversion: .prefixedNo, help: "Normalise observations by running statistics.")
  var normalizeObservations: Bool?
  @Flag(inversion: .prefixedNo, help: "Divide rewards by the running standard deviation of the return.")
  var normalizeRewards: Bool?
  @Flag(inversion: .prefixedNo, help: "Subtract the value from the returns (REINFORCE).")
  var baseline: Bool?
  @Option(help: ArgumentHelp("Steps after which an episode is cut off (REINFORCE).", valueName: "n"))
  var maximumEpisodeSteps: Int?
  @Option(
    help: ArgumentHelp("Seed of weights, episodes and actions: the same seed gives the same run.", valueName: "n"))
  var seed: UInt64?

  func validate() throws {
    if hiddenWidths != nil, widths == nil {
      throw ValidationError("--hidden-widths should be whole numbers with commas between them, such as 64,64")
    }
  }

  private var widths: [Int]? {
    guard let hiddenWidths else { return nil }
    let parts = hiddenWidths.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Int($0) }
    return numbers.count == parts.count ? numbers : nil
  }

  /// What was given: the properties of the settings, the flags, and the values.
  var changes: [(name: String, flag: String, value: JSONValue)] {
    let all: [(String, String, JSONValue?)] = [
      ("environmentCount", "--environments", environments.map { .integer($0) }),
      ("totalSteps", "--total-steps", totalSteps.map { .integer($0) }),
      ("rolloutSteps", "--rollout-steps", rolloutSteps.map { .integer($0) }),
      ("minibatchSize", "--minibatch-size", minibatchSize.map { .integer($0) }),
      ("epochs", "--epochs", epochs.map { .integer($0) }),
      ("learningRate", "--learning-rate", learningRate.map { .number($0) }),
      ("annealsLearningRate", "--anneal-learning-rate", annealLearningRate.map { .bool($0) }),
      ("adamEpsilon", "--adam-epsilon", adamEpsilon.map { .number($0) }),
      ("discount", "--discount", discount.map { .number($0) }),
      ("lambda", "--lambda", lambda.map { .number($0) }),
      ("clipRange", "--clip-range", clipRange.map { .number($0) }),
      ("annealsClipRange", "--anneal-clip-range", annealClipRange.map { .bool($0) }),
      ("valueClipRange", "--value-clip-range", valueClipRange.map { .number($0) }),
      ("valueCoefficient", "--value-coefficient", valueCoefficient.map { .number($0) }),
      ("entropyCoefficient", "--entropy-coefficient", entropyCoefficient.map { .number($0) }),
      ("maxGradientNorm", "--max-gradient-norm", maxGradientNorm.map { .number($0) }),
      ("normalizesAdvantages", "--normalize-advantages", normalizeAdvantages.map { .bool($0) }),
      ("targetKL", "--target-kl", targetKl.map { .number($0) }),
      ("hiddenWidths", "--hidden-widths", widths.map { .array($0.map { .integer($0) }) }),
      ("activation", "--activation", activation.map { .string($0) }),
      ("sharesNetwork", "--shared-network", sharedNetwork.map { .bool($0) }),
      ("squashesActions", "--squash-actions", squashActions.map { .bool($0) }),
      (
        "initialLogStandardDeviation", "--initial-log-standard-deviation",
        initialLogStandardDeviation.map { .number($0) }
      ),
      ("normalizesObservations", "--normalize-observations", normalizeObservations.map { .bool($0) }),
      ("normalizesRewards", "--normalize-rewards", normalizeRewards.map { .bool($0) }),
      ("usesBaseline", "--baseline", baseline.map { .bool($0) }),
      ("maximumEpisodeSteps", "--maximum-episode-steps", maximumEpisodeSteps.map { .integer($0) }),
    ]
    return all.compactMap { name, flag, value in value.map { (name, flag, $0) } }
  }
}

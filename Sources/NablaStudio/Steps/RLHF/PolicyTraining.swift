import NablaRL
import NablaTensor
import NablaTraining

/// PPO on CartPole-v1 with the library's preset, and what it left on the way: the learning curve, and policies from the
/// first weights to the last.
struct PolicyTraining: Sendable {
  /// The weights after so many environment steps.
  struct Snapshot: Sendable {
    var steps: Int
    var parameters: [String: Tensor]
  }

  static let environment = "CartPole-v1"
  /// The shares of the training after which a policy is kept.
  static let shares = [0, 0.05, 0.1, 0.2, 0.35, 0.6, 1]

  let architecture: PolicyArchitecture
  /// [environment steps, mean steps balanced in the last 100 episodes]: one for each update.
  var curve: [[Double]] = []
  var snapshots: [Snapshot] = []
  /// Measured, of the training alone.
  var seconds = 0.0

  /// Trainings of this visit, by seed.
  static let kept = Kept<UInt64, PolicyTraining>(most: 8)

  /// Trains to the end, or until it may not go on.
  ///
  /// - Parameter onUpdate: Gets each new point of the curve.
  /// - Returns: nil if it was stopped.
  static func run(
    seed: UInt64, mayContinue: () -> Bool = { true }, onUpdate: ([Double], UpdateMetrics) -> Void = { _, _ in }
  ) throws -> PolicyTraining? {
    var configuration = Presets.ppo(for: environment)
    configuration.seed = seed
    let learner = try PPO(configuration, in: environment)
    var training = PolicyTraining(architecture: learner.agent.architecture)
    func keepSnapshots() {
      while training.snapshots.count < shares.count,
        Double(learner.step) >= shares[training.snapshots.count] * Double(learner.totalSteps)
      {
        // An optimizer copies a parameter whose memory is shared before it writes to it: these stay as they are.
        let parameters = learner.agent.network.parameters().map { ($0.name, $0.value) }
        training.snapshots.append(
          Snapshot(steps: learner.step, parameters: Dictionary(uniqueKeysWithValues: parameters)))
      }
    }
    keepSnapshots()
    while !learner.isFinished {
      guard mayContinue() else { return nil }
      let start = monotonicSeconds()
      let metrics = try learner.update()
      training.seconds += monotonicSeconds() - start
      keepSnapshots()
      guard let balanced = metrics.episodicReturn else { continue }
      training.curve.append([Double(metrics.step), balanced])
      onUpdate(training.curve.last!, metrics)
    }
    return training
  }

  /// The agent with the weights of a snapshot.
  func agent(_ snapshot: Snapshot) throws -> Agent {
    var random = RandomSource(seed: 0)
    let network = ActorCritic(architecture, random: &random)
    try network.load(snapshot.parameters)
    return Agent(network)
  }
}

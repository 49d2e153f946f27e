import NablaFormats
import NablaTraining

/// Trains a policy in a run: each step is an update of the algorithm.
///
/// ```swift
/// let run = try TrainingRun(at: "runs/catch") { _ in
///   try PolicyTrainer(settings, in: VectorEnvironment(count: settings.environmentCount) { Catch() })
/// }
/// ```
public final class PolicyTrainer: Trainer {
  public static let command = "rl"

  public let setup: PolicySetup
  public let learner: any Learner
  /// Environment steps.
  public var progress: RunProgress {
    RunProgress(done: learner.step, of: learner.totalSteps, unit: "environment steps")
  }
  public var cadence: RunCadence { RunCadence(checkpointEvery: setup.checkpointEvery) }

  /// What the report shows of a built-in environment; nil for a custom one.
  private let description: EnvironmentDescription?
  private var ratios: PolicyAnalysis.Ratios?

  /// In a built-in environment.
  /// - Throws: `ConfigurationError` that names a setting, or ``EnvironmentError``.
  public init(_ setup: PolicySetup) throws {
    let description = try EnvironmentDescription.named(setup.environment)
    try setup.validate(for: description.actionSpace)
    (self.setup, self.description) = (setup, description)
    learner = try setup.settings.makeLearner(description.make(count: setup.settings.environmentCount))
  }

  /// In a custom environment.
  public init(
    _ settings: any LearnerConfiguration, in environments: VectorEnvironment, checkpointEvery: Int = 100_000
  ) throws {
    var setup = PolicySetup(environment: environments.name, settings: settings)
    setup.checkpointEvery = checkpointEvery
    try setup.validate(for: environments.actionSpace)
    (self.setup, description) = (setup, nil)
    learner = try settings.makeLearner(environments)
  }

  /// The trainer of a saved run, in a built-in environment.
  private static func saved(_ setup: PolicySetup, at path: String) throws -> PolicyTrainer {
    guard setup.isInBuiltInEnvironment else {
      throw LearningError.ownEnvironment(run: path, name: setup.environment)
    }
    return try PolicyTrainer(setup)
  }

  /// A resumed run, in a built-in environment.
  /// - Throws: ``LearningError/ownEnvironment(run:name:)`` for a run in a custom one, and what reading the run throws.
  public static func resume(
    _ path: String, observe: TrainingRun<PolicyTrainer>.Observer = { _ in }
  ) throws -> TrainingRun<PolicyTrainer> {
    try TrainingRun(resuming: path, observe: observe) { setup, _ in try saved(setup, at: path) }
  }

  /// The agent of a run's newest checkpoint, for acting, and what it was trained for.
  /// - Throws: ``LearningError/ownEnvironment(run:name:)`` for a run in a custom one, and what reading the run throws.
  public static func agent(
    of path: String, warn: (String) throws -> Void = { _ in }
  ) throws -> (Agent, PolicySetup) {
    let run = try RunFolder.open(path)
    let setup = try TrainingRun<PolicyTrainer>.setup(of: run)
    let trainer = try saved(setup, at: path)
    guard let checkpoint = try run.newestCheckpoint(warn: warn) else { throw TrainingError.noCheckpoint(path: path) }
    try trainer.restore(from: checkpoint)
    return (trainer.learner.agent, setup)
  }

  public func step() throws -> StepReport {
    let update = try learner.update()
    keepRatios(update)
    let figures: [Figure?] = [
      update.episodicReturn.map { Figure("return", $0) }, Figure("steps/s", update.stepsPerSecond, isRate: true),
      // Without a clip range there is one step for each rollout, whose ratios are all 1.
      update.clipRange.map { _ in Figure("KL", update.approximateKL) },
      update.clipRange.map { _ in Figure("clip", update.clipFraction) },
    ]
    return StepReport(update.named, figures: figures.compactMap { $0 })
  }

  /// Keeps the ratios of the first update and of the one halfway, which the report shows: near the end, where the
  /// learning rate is low, an update hardly changes them.
  private func keepRatios(_ update: UpdateMetrics) {
    let half = learner.totalSteps / 2
    let isHalfway = learner.step >= half && learner.step - learner.session.configuration.stepsPerUpdate < half
    guard let ppo = learner as? PPO, let clipRange = update.clipRange, isHalfway || update.update == 1 else { return }
    ratios = ppo.lastRatios(clipRange: clipRange)
  }

  public func save(to folder: String) throws {
    try SafetensorsFile.write(learner.session.tensors, to: "\(folder)/policy.safetensors")
    try writeJSON(try learner.session.state(), to: "\(folder)/state.json")
    if let ratios { try writeJSON(ratios, to: "\(folder)/ratios.json") }
  }

  public func restore(from checkpoint: Checkpoint) throws {
    let state: LearningSession.State
    do {
      state = try readJSON(checkpoint.file("state.json"), as: LearningSession.State.self)
    } catch let error as JSONFileError {
      throw LearningError.badState("\(error)")
    }
    try learner.session.restore(
      state, tensors: SafetensorsFile(path: checkpoint.file("policy.safetensors")).tensors())
    if pathExists(checkpoint.file("ratios.json")) {
      ratios = try readJSON(checkpoint.file("ratios.json"), as: PolicyAnalysis.Ratios.self)
    }
  }

  public func finish(in run: RunFolder) throws {
    try AtomicFolder.write(to: "\(run.path)/policy") { folder in try learner.agent.save(to: folder) }
    if let description {
      try PolicyAnalysis(of: learner.agent, in: description, ratios: ratios).write(to: run)
    } else if let ratios {
      try PolicyAnalysis(ratios: ratios).write(to: run)
    }
  }
}

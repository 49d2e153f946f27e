import FoundationEssentials
import NablaFormats
import NablaTraining

/// Trains a policy in a run folder, so that it can stop and go on at any update with the same bits.
public final class PolicyTraining {
  public enum Outcome: Sendable, Equatable {
    case finished
    /// A signal or `stopAfter` came; the state is saved.
    case stopped(step: Int)
  }

  public let setup: PolicySetup
  public let learner: any Learner
  public let run: RunFolder
  /// Environment steps done.
  public var step: Int { learner.step }
  /// The mean return of the last 100 episodes after each update of this sitting.
  public private(set) var returns: [Double] = []

  private let description: EnvironmentDescription
  private let store: CheckpointStore
  private let metrics: MetricsLog

  // MARK: Starting and resuming

  /// A new run.
  /// - Parameter output: the run folder; nil picks one.
  public convenience init(_ setup: PolicySetup, output: String? = nil) throws {
    let learner = try Self.learner(setup)
    let run = try RunFolder.create(at: output, command: "rl", configuration: setup)
    do {
      try self.init(setup, learner, run, resuming: false)
    } catch {
      try? removeTree(run.path)
      throw error
    }
  }

  /// A run that goes on from its newest good checkpoint, or from the beginning if it had made none.
  public convenience init(resuming path: String, message: (String) -> Void = { _ in }) throws {
    let run = try RunFolder.openForWriting(path)
    let setup = try Self.setup(of: run)
    let learner = try Self.learner(setup)
    let checkpoint = try Self.newestCheckpoint(run, message: message)
    if let checkpoint {
      try Self.restore(learner, from: checkpoint)
    } else {
      message("\(path) has no checkpoint yet: starting from the beginning")
    }
    try self.init(setup, learner, run, resuming: true)
    try store.discard(after: step)
  }

  private init(_ setup: PolicySetup, _ learner: any Learner, _ run: RunFolder, resuming: Bool) throws {
    (self.setup, self.learner, self.run) = (setup, learner, run)
    description = try EnvironmentDescription.named(setup.environment)
    store = try CheckpointStore(folder: run.checkpointsPath)
    metrics = try MetricsLog(
      folder: run.path, resumingAfter: resuming ? (learner.step == 0 ? -1 : learner.step) : nil)
  }

  /// The agent of a run's newest checkpoint, for acting, and what it was trained for.
  public static func agent(of path: String, message: (String) -> Void = { _ in }) throws -> (Agent, PolicySetup) {
    let run = try RunFolder.open(path)
    let setup = try setup(of: run)
    let learner = try learner(setup)
    guard let checkpoint = try newestCheckpoint(run, message: message) else {
      throw PolicyTrainingError.noCheckpoint(path: path)
    }
    try restore(learner, from: checkpoint)
    return (learner.agent, setup)
  }

  private static func setup(of run: RunFolder) throws -> PolicySetup {
    guard run.command == "rl" else {
      throw PolicyTrainingError.otherCommand(path: run.path, command: run.command)
    }
    return try run.configuration(as: PolicySetup.self)
  }

  private static func learner(_ setup: PolicySetup) throws -> any Learner {
    let description = try EnvironmentDescription.named(setup.environment)
    try setup.validate()
    return try setup.settings.makeLearner(description.make(count: setup.settings.environmentCount))
  }

  private static func newestCheckpoint(_ run: RunFolder, message: (String) -> Void) throws -> Checkpoint? {
    let (checkpoint, rejected) = try CheckpointStore.newestValid(in: run.checkpointsPath)
    for problem in rejected { message("warning: \(problem); using an earlier one") }
    if checkpoint == nil, !rejected.isEmpty { throw PolicyTrainingError.noCheckpoint(path: run.path) }
    return checkpoint
  }

  private static func restore(_ learner: any Learner, from checkpoint: Checkpoint) throws {
    let bytes = try MappedFile(path: checkpoint.file("state.json")).withBytes { Data($0) }
    let state: LearningSession.State
    do {
      state = try JSONDecoder().decode(LearningSession.State.self, from: bytes)
    } catch {
      throw LearningError.badState("\(checkpoint.file("state.json")): \(error)")
    }
    try learner.session.restore(
      state, tensors: SafetensorsFile(path: checkpoint.file("policy.safetensors")).tensors())
  }

  // MARK: The loop

  /// Trains until the end, a signal, or `stopAfter` environment steps; saves; writes the report.
  ///
  /// - Throws: ``LearningError/diverged(step:what:)``, ``EnvironmentError``, and what writing files throws; checkpoints
  ///   made before stay good.
  public func train(progress: ProgressDisplay, stopAfter: Int? = nil) throws -> Outcome {
    let last = min(stopAfter ?? learner.totalSteps, learner.totalSteps)
    var saved = step
    while step < last, !StopSignal.isRequested {
      let update = try learner.update()
      try metrics.record(step: step, update.named)
      if let value = update.episodicReturn { returns.append(value) }
      progress.update(report(update))
      try keepRatios(update)
      if setup.checkpointEvery > 0, step - saved >= setup.checkpointEvery, step < last {
        try save()
        saved = step
      }
    }
    progress.finish()
    try save()
    try AtomicFolder.write(to: "\(run.path)/policy") { folder in try learner.agent.save(to: folder) }
    try PolicyAnalysis(of: learner.agent, in: description, ratios: PolicyAnalysis.read(from: run)?.ratios)
      .write(to: run)
    do {
      try Report.write(for: run)
    } catch let error as ReportError {
      progress.message("warning: no report was written: \(error)")
    }
    return learner.isFinished ? .finished : .stopped(step: step)
  }

  /// Keeps the ratios of the first update and of the one halfway, which the report shows: towards the end, where the
  /// learning rate is low, an update hardly moves them.
  private func keepRatios(_ update: UpdateMetrics) throws {
    let half = learner.totalSteps / 2
    let isHalfway = step >= half && step - learner.session.configuration.stepsPerUpdate < half
    guard let ppo = learner as? PPO, let clipRange = update.clipRange, isHalfway || update.update == 1 else { return }
    var analysis = PolicyAnalysis.read(from: run) ?? PolicyAnalysis()
    analysis.ratios = ppo.lastRatios(clipRange: clipRange)
    try analysis.write(to: run)
  }

  private func report(_ update: UpdateMetrics) -> ProgressReport {
    var report = ProgressReport(step: min(step, learner.totalSteps), total: learner.totalSteps)
    report.figures = [
      update.episodicReturn.map { .init("episodic_return", "return", $0) },
      .init("steps_per_second", "steps/s", update.stepsPerSecond, isRate: true),
      .init("approx_kl", "KL", update.approximateKL),
      update.clipRange.map { _ in .init("clip_fraction", "clip", update.clipFraction) },
    ].compactMap { $0 }
    let left = Double(learner.totalSteps - step)
    report.secondsLeft = max(0, left * update.seconds / Double(max(step, 1)))
    return report
  }

  private func save() throws {
    let state = try learner.session.state()
    try store.save(step: step) { folder in
      try SafetensorsFile.write(learner.session.tensors, to: "\(folder)/policy.safetensors")
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      try AtomicFile.write(Array(encoder.encode(state)), to: "\(folder)/state.json")
    }
  }
}

/// Why a run cannot go on.
public enum PolicyTrainingError: Error, Sendable, Equatable, CustomStringConvertible {
  case otherCommand(path: String, command: String)
  case otherEnvironment(path: String, environment: String, asked: String)
  case noCheckpoint(path: String)

  public var description: String {
    switch self {
    case .otherCommand(let path, let command): "\(path) is a run of 'nabla \(command)', not of 'nabla rl train'"
    case .otherEnvironment(let path, let environment, let asked):
      "\(path) was trained in \(environment), not in \(asked): leave out --environment, or start anew in another folder"
    case .noCheckpoint(let path): "\(path) has no checkpoint that can be read: start anew in another folder"
    }
  }
}

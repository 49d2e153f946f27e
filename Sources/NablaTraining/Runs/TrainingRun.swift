import NablaFormats
import NablaTensor

/// Training in a run folder: steps, metrics, evaluations, samples, checkpoints and the report. New or resumed,
/// it gives the same bits.
///
/// ```swift
/// let run = try TrainingRun(at: "runs/catch") { _ in try PolicyTrainer(settings, in: environments) }
/// let outcome = try run.train { event in if case .step(let step) = event { print(step.progress.done) } }
/// ```
///
/// A run belongs to one thread at a time; several runs can share a process.
public final class TrainingRun<T: Trainer> {
  public typealias Observer = (RunEvent) throws -> Void

  public let trainer: T
  public let folder: RunFolder
  /// Seconds spent on steps, over all sessions of the run.
  public private(set) var seconds = 0.0
  /// The last evaluation.
  public private(set) var evaluation: [Metric] = []
  /// The best of the models that were judged.
  public internal(set) var best: BestModel?
  /// Told what begins now, on the training's thread.
  public var onActivity: ((RunActivity) -> Void)?

  private let store: CheckpointStore
  private let log: MetricsLog
  private var recent = StepTimes()
  /// The progress of the last checkpoint of this session.
  private var savedProgress = 0

  /// The run's own state in a checkpoint.
  private struct State: Codable { var seconds: Double }

  // MARK: Starting and resuming

  /// A new run.
  /// - Parameters:
  ///   - trainer: In its initial state.
  ///   - path: A folder that does not exist or is empty; nil picks `runs/COMMAND-DATE-N`.
  public init(_ trainer: T, at path: String? = nil) throws {
    self.trainer = trainer
    let folder = try RunFolder.create(at: path, command: T.command, configuration: trainer.setup)
    self.folder = folder
    do {
      store = try CheckpointStore(folder: folder.checkpointsPath)
      log = try MetricsLog(folder: folder.path)
    } catch {
      try? removeTree(folder.path)
      throw error
    }
  }

  /// A run that resumes from its newest valid checkpoint, or from the beginning if it has none.
  ///
  /// - Parameters:
  ///   - path: The run's folder.
  ///   - observe: Receives events before training begins.
  ///   - make: Makes the trainer in its initial state. The checkpoint, if there is one, is restored afterward.
  /// - Throws: ``TrainingError``, ``RunFolderError``, and what `make` and the trainer throw.
  public init(
    resuming path: String, observe: Observer = { _ in },
    make: (_ setup: T.Setup, _ checkpoint: Checkpoint?) throws -> T
  ) throws {
    folder = try RunFolder.openForWriting(path)
    let setup = try Self.setup(of: folder)
    let checkpoint = try folder.newestCheckpoint { try observe(.warning($0)) }
    if checkpoint == nil { try observe(.message("\(path) has no checkpoint yet: starting from the beginning")) }
    trainer = try make(setup, checkpoint)
    if let checkpoint {
      try trainer.restore(from: checkpoint)
      seconds = try Self.seconds(in: checkpoint)
    }
    let done = trainer.progress.done
    savedProgress = done
    // What was added to the setup, such as steps.
    try folder.saveConfiguration(trainer.setup)
    best = try Self.best(in: folder, at: done)
    store = try CheckpointStore(folder: folder.checkpointsPath)
    log = try MetricsLog(folder: folder.path, resumingAfter: done == 0 ? -1 : done)
    try store.discard(after: done)
  }

  /// A new run if there is none yet, otherwise a resumed one.
  /// - Parameters:
  ///   - path: The run's folder, which may not exist yet.
  ///   - make: Makes the trainer; the setup is that of the existing run, nil for a new one.
  public convenience init(at path: String, make: (_ setup: T.Setup?) throws -> T) throws {
    if pathExists("\(path)/config.json") {
      try self.init(resuming: path) { setup, _ in try make(setup) }
    } else {
      try self.init(make(nil), at: path)
    }
  }

  /// The setup in a run's `config.json`.
  /// - Throws: ``TrainingError/otherCommand(path:command:expected:)`` if it is another kind of run.
  public static func setup(of folder: RunFolder) throws -> T.Setup {
    guard folder.command == T.command else {
      throw TrainingError.otherCommand(path: folder.path, command: folder.command, expected: T.command)
    }
    return try folder.configuration(as: T.Setup.self)
  }

  /// Earlier versions kept the seconds in the trainer's own state.
  private static func seconds(in checkpoint: Checkpoint) throws -> Double {
    if pathExists(checkpoint.file("run.json")) {
      return try JSONValue(contentsOfFile: checkpoint.file("run.json"))["seconds"]?.double ?? 0
    }
    let state = try JSONValue(contentsOfFile: checkpoint.file("state.json"))
    return (state["seconds"] ?? state["progress"]?["seconds"])?.double ?? 0
  }

  // MARK: The loop

  /// Trains until the end or until the condition holds, and saves.
  ///
  /// - Parameters:
  ///   - stop: Asked after each step.
  ///   - observe: Receives each event, on this thread. An error that it throws ends the run, unsaved.
  /// - Throws: ``TrainingError/diverged(step:reason:run:)``, and what the trainer and writing files throw; earlier
  ///   checkpoints stay valid, and the steps since the last are saved if the trainer's state allows it
  ///   (``Trainer/keepsStateOnError``).
  public func train(until stop: StopCondition = .never, observe: Observer = { _ in }) throws -> RunOutcome {
    do {
      return try loop(stop, observe)
    } catch let error as Diverged {
      throw TrainingError.diverged(step: trainer.progress.done, reason: error.reason, run: folder.path)
    }
  }

  private func loop(_ stop: StopCondition, _ observe: Observer) throws -> RunOutcome {
    let cadence = trainer.cadence
    try trainer.summary.write(to: folder)
    if trainer.progress.done == 0, !stop.holds(at: 0) {
      try evaluate(isFinal: false, observe)
      if !stop.holds(at: 0) { try sample(observe) }
    }
    while !trainer.progress.isFinished, !stop.holds(at: trainer.progress.done) {
      let before = trainer.progress.done
      try step(observe)
      let progress = trainer.progress
      /// Whether a multiple of `every` was reached by this step.
      func isDue(_ every: Int) -> Bool { every > 0 && progress.done / every > before / every }
      if isDue(cadence.evaluateEvery) || progress.isFinished { try evaluate(isFinal: progress.isFinished, observe) }
      if isDue(cadence.sampleEvery) || progress.isFinished { try sample(observe) }
      if isDue(cadence.checkpointEvery), !progress.isFinished, !stop.isReached(at: progress.done) { try save(observe) }
    }
    // Stopped before the first step: there is nothing to keep.
    if trainer.progress.done == 0 { return .stopped(step: 0) }
    // A checkpoint without a new step would lose the metric of the one it replaces.
    if trainer.progress.done > savedProgress { try save(observe) }
    try trainer.finish(in: folder)
    if T.savesModel, trainer.progress.isFinished { try finishModel() }
    do {
      try trainer.writeReport(in: folder)
    } catch {
      // The model is saved: for want of a picture of it the run has not failed.
      try observe(.warning("no report was written: \(error)"))
    }
    return trainer.progress.isFinished ? .finished : .stopped(step: trainer.progress.done)
  }

  private func step(_ observe: Observer) throws {
    onActivity?(.step(trainer.progress))
    let (before, start) = (trainer.progress.done, monotonicSeconds())
    var report = try savingOnError(observe) { try trainer.step() }
    let elapsed = monotonicSeconds() - start
    let progress = trainer.progress
    precondition(progress.done > before, "\(T.self).step: progress stays at \(before)")
    seconds += elapsed
    recent.add(progress.done - before, elapsed)
    let memory = Memory.resident
    report.metrics += [Metric("memory_bytes", Double(memory)), Metric("seconds", seconds)]
    try log.record(step: progress.done, report.metrics, skipped: report.skipped)
    if let reason = report.skipped { try observe(.warning("step \(progress.done) skipped: \(reason)")) }
    let left = recent.perUnit.map { $0 * Double(max(0, progress.total - progress.done)) }
    try observe(.step(RunStep(progress: progress, report: report, memory: memory, secondsLeft: left)))
  }

  private func evaluate(isFinal: Bool, _ observe: Observer) throws {
    onActivity?(.evaluating)
    let metrics = try savingOnError(observe) { try trainer.evaluate(isFinal: isFinal) }
    guard !metrics.isEmpty else { return }
    if trainer.progress.done > 0, let value = trainer.judgement, value.isFinite { try judge(value) }
    evaluation = metrics
    try log.record(step: trainer.progress.done, metrics)
    try observe(.evaluated(step: trainer.progress.done, metrics))
  }

  private func sample(_ observe: Observer) throws {
    onActivity?(.sampling)
    guard let sample = try savingOnError(observe, { try trainer.sample() }) else { return }
    try folder.writeSample(sample, step: trainer.progress.done)
    try observe(.sample(step: trainer.progress.done, sample))
  }

  /// Saves the steps since the last checkpoint if the trainer fails after them and its state is still theirs.
  private func savingOnError<Result>(_ observe: Observer, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch {
      // If saving fails too, the first error explains both.
      if T.keepsStateOnError, !(error is Diverged), trainer.progress.done > savedProgress { try? save(observe) }
      throw error
    }
  }

  private func save(_ observe: Observer) throws {
    let step = trainer.progress.done
    onActivity?(.saving)
    do {
      try store.save(step: step, metric: evaluation.first { $0.name == "validation_loss" }?.value) { folder in
        try trainer.save(to: folder)
        try writeJSON(State(seconds: seconds), to: "\(folder)/run.json")
      }
    } catch let error as CheckpointSaveError {
      if let diverged = error.cause as? Diverged { throw diverged }
      throw error
    }
    savedProgress = step
    try observe(.saved(step: step))
  }
}

/// The durations of the last steps.
private struct StepTimes {
  private var recent: [(units: Int, seconds: Double)] = []

  mutating func add(_ units: Int, _ seconds: Double) {
    recent.append((units, seconds))
    if recent.count > 20 { recent.removeFirst() }
  }

  /// Seconds per unit of progress.
  var perUnit: Double? {
    let units = recent.reduce(0) { $0 + $1.units }
    return units > 0 ? recent.reduce(0) { $0 + $1.seconds } / Double(units) : nil
  }
}

/// An algorithm that can take a step. It owns its parts (model, data, optimizer, random state); the run around it
/// (folder, metrics, checkpoints, report) belongs to ``TrainingRun``.
///
/// A step depends on nothing that ``save(to:)`` does not write: a resumed run gives the same bits as one that was
/// never stopped.
public protocol Trainer: AnyObject {
  /// The contents of `config.json`: all that is needed to recreate the trainer.
  associatedtype Setup: Codable & Sendable

  /// The name of the kind of run in `config.json` and in messages: "pretrain".
  static var command: String { get }
  var setup: Setup { get }
  /// What is trained on what, for people.
  var summary: RunSummary { get }
  var progress: RunProgress { get }
  var cadence: RunCadence { get }

  /// Takes a step, which advances ``progress`` even if the step is skipped.
  /// - Throws: ``Diverged`` when training cannot continue.
  func step() throws -> StepReport
  /// Whether a step, an evaluation or a sample that throws another error than ``Diverged`` leaves everything that
  /// ``save(to:)`` writes as it was. The steps before the error are then saved, and a resumed run repeats the step.
  static var keepsStateOnError: Bool { get }
  /// Evaluates the model on held-out data.
  /// - Parameter isFinal: Whether training has ended, and all held-out data should be used.
  func evaluate(isFinal: Bool) throws -> [Metric]
  /// What models are compared by, of the last ``evaluate(isFinal:)``: lower is better, and always measured in the same
  /// way. Nil if models are not compared.
  var judgement: Double? { get }
  /// Generates a sample to look at.
  func sample() throws -> RunSample?

  /// Writes everything the next step depends on.
  /// - Throws: ``Diverged`` if the weights are non-finite: such a checkpoint would displace good ones.
  func save(to folder: String) throws
  /// Restores what ``save(to:)`` wrote.
  func restore(from checkpoint: Checkpoint) throws

  /// Whether ``saveModel(to:)`` writes the run's model: the best one, if models are compared.
  static var savesModel: Bool { get }
  /// Writes the model for use.
  func saveModel(to folder: String) throws
  /// Writes the final output when a run ends or stops: a model to use, unless ``saveModel(to:)`` does that; data for the
  /// report.
  func finish(in run: RunFolder) throws
  /// Writes `report.html`, the page that shows the run, after ``finish(in:)``. What it throws becomes a warning.
  func writeReport(in run: RunFolder) throws
}

extension Trainer {
  public func evaluate(isFinal: Bool) throws -> [Metric] { [] }
  public var judgement: Double? { nil }
  public func sample() throws -> RunSample? { nil }
  public static var keepsStateOnError: Bool { false }
  public static var savesModel: Bool { false }
  public func saveModel(to folder: String) throws {}
  public func finish(in run: RunFolder) throws {}
  public var summary: RunSummary { RunSummary() }
  public func writeReport(in run: RunFolder) throws {}
}

/// The progress of a run.
public struct RunProgress: Sendable, Equatable {
  /// The unit, in the plural: "steps", "environment steps".
  public var unit: String
  public var done: Int
  public var total: Int

  public init(done: Int, of total: Int, unit: String = "steps") {
    (self.done, self.total, self.unit) = (done, total, unit)
  }

  public var isFinished: Bool { done >= total }
}

/// How often a run evaluates, samples and saves its model, in the units of its progress; 0 for only at the end.
public struct RunCadence: Sendable, Equatable {
  public var evaluateEvery: Int
  public var sampleEvery: Int
  public var checkpointEvery: Int

  public init(evaluateEvery: Int = 0, sampleEvery: Int = 0, checkpointEvery: Int = 0) {
    (self.evaluateEvery, self.sampleEvery, self.checkpointEvery) = (evaluateEvery, sampleEvery, checkpointEvery)
  }
}

/// What a step reports.
public struct StepReport: Sendable, Equatable {
  /// In logging order; names are unique.
  public var metrics: [Metric]
  /// The figures for a display, the most important first.
  public var figures: [Figure]
  /// Why the step was skipped; nil if it was taken.
  public var skipped: String?

  public init(_ metrics: [Metric], figures: [Figure] = [], skipped: String? = nil) {
    (self.metrics, self.figures, self.skipped) = (metrics, figures, skipped)
  }

  public subscript(name: String) -> Double? { metrics.first { $0.name == name }?.value }
}

/// A figure for people: "loss 1.234", "12.3k tok/s".
public struct Figure: Sendable, Equatable {
  public let label: String
  public let value: Double
  /// Whether it is a rate per second, shown with the label as its unit.
  public let isRate: Bool

  public init(_ label: String, _ value: Double, isRate: Bool = false) {
    (self.label, self.value, self.isRate) = (label, value, isRate)
  }
}

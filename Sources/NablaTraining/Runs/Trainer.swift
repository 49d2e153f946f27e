/// An algorithm that can take a step. What it is made of (model, data, optimizer, random state) is its own; the run around
/// it (folder, metrics, checkpoints, report) is ``TrainingRun``'s.
///
/// A step depends on nothing that ``save(to:)`` does not write: a resumed training gives the same bits as one that was
/// never stopped.
public protocol Trainer: AnyObject {
  /// What `config.json` holds: all it takes to make the trainer again.
  associatedtype Setup: Codable & Sendable

  /// Names the kind of run in `config.json` and in messages: "pretrain".
  static var command: String { get }
  var setup: Setup { get }
  var progress: RunProgress { get }
  var cadence: RunCadence { get }

  /// Takes a step, which moves ``progress`` on, also where the step is skipped.
  /// - Throws: ``Diverged`` when training cannot continue.
  func step() throws -> StepReport
  /// Measures the model on data it is not trained on.
  /// - Parameter isFinal: Whether training has ended, and all such data is to be read.
  func evaluate(isFinal: Bool) throws -> [Metric]
  /// What the model of the last ``evaluate(isFinal:)`` is judged by: lower is better, and always measured in the same
  /// way. Nil where models are not judged.
  var judgement: Double? { get }
  /// Lets the model make something to look at.
  func sample() throws -> RunSample?

  /// Writes everything the next step depends on.
  /// - Throws: ``Diverged`` where the weights are not finite: such a checkpoint would push out good ones.
  func save(to folder: String) throws
  /// Continues from what ``save(to:)`` wrote.
  func restore(from checkpoint: Checkpoint) throws

  /// Whether the run's model, the best where models are judged, is kept by ``saveModel(to:)``.
  static var savesModel: Bool { get }
  /// Writes the model for use.
  func saveModel(to folder: String) throws
  /// Writes what a run leaves at its end or when it stops: a model to use, unless ``saveModel(to:)`` does that; what the
  /// report shows.
  func finish(in run: RunFolder) throws
}

extension Trainer {
  public func evaluate(isFinal: Bool) throws -> [Metric] { [] }
  public var judgement: Double? { nil }
  public func sample() throws -> RunSample? { nil }
  public static var savesModel: Bool { false }
  public func saveModel(to folder: String) throws {}
  public func finish(in run: RunFolder) throws {}
}

/// How far a training has come.
public struct RunProgress: Sendable, Equatable {
  /// What is counted, in the plural: "steps", "environment steps".
  public var unit: String
  public var done: Int
  public var total: Int

  public init(done: Int, of total: Int, unit: String = "steps") {
    (self.done, self.total, self.unit) = (done, total, unit)
  }

  public var isFinished: Bool { done >= total }
}

/// How often a run looks at its model and saves it, in the units of its progress; 0 for the end only.
public struct RunCadence: Sendable, Equatable {
  public var evaluateEvery: Int
  public var sampleEvery: Int
  public var checkpointEvery: Int

  public init(evaluateEvery: Int = 0, sampleEvery: Int = 0, checkpointEvery: Int = 0) {
    (self.evaluateEvery, self.sampleEvery, self.checkpointEvery) = (evaluateEvery, sampleEvery, checkpointEvery)
  }
}

/// What a step tells.
public struct StepReport: Sendable, Equatable {
  /// In the order they are logged; names are unique.
  public var metrics: [Metric]
  /// What a display shows of them, the most important first.
  public var figures: [Figure]
  /// Why the step was not taken; nil if it was.
  public var skipped: String?

  public init(_ metrics: [Metric], figures: [Figure] = [], skipped: String? = nil) {
    (self.metrics, self.figures, self.skipped) = (metrics, figures, skipped)
  }

  public subscript(name: String) -> Double? { metrics.first { $0.name == name }?.value }
}

/// A number for people: "loss 1.234", "12.3k tok/s".
public struct Figure: Sendable, Equatable {
  public let label: String
  public let value: Double
  /// Whether it is so much a second, which is shown with the label as its unit.
  public let isRate: Bool

  public init(_ label: String, _ value: Double, isRate: Bool = false) {
    (self.label, self.value, self.isRate) = (label, value, isRate)
  }
}

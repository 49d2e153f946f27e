import Glibc
import NablaFormats
import NablaTraining

/// A trained run of a sweep.
public struct SweepRun: Sendable {
  /// Of its folder, in that of the sweep.
  public var name: String
  public var planned: SweepPlan.Run
  /// N, D and the loss on the validation text.
  public var point: ScalingPoint
  /// Spent on steps.
  public var seconds: Double

  /// Reads a run folder; nil if it does not exist, or if the run is not complete.
  init?(completeAt path: String, name: String, _ planned: SweepPlan.Run) throws {
    guard pathExists("\(path)/config.json") else { return nil }
    let folder = try RunFolder.open(path)
    let setup = try folder.configuration(as: Pretrained.self)
    guard let checkpoint = try folder.newestCheckpoint(), checkpoint.step >= setup.training.steps,
      let loss = checkpoint.metric
    else { return nil }
    self.name = name
    self.planned = planned
    let tokens = setup.training.steps * setup.training.batchSize * setup.model.context
    point = ScalingPoint(parameters: Double(setup.parameterCount), tokens: Double(tokens), loss: loss)
    seconds = try JSONValue(contentsOfFile: checkpoint.file("run.json"))["seconds"]?.double ?? 0
  }

  /// What a sweep reads of a run's configuration.
  private struct Pretrained: Decodable {
    struct Training: Decodable { var steps: Int, batchSize: Int }
    struct Model: Decodable { var context: Int }
    var training: Training
    var model: Model
    var parameterCount: Int
  }
}

/// The outcome of a sweep: the law, its prediction and, once the test is trained, whether it was right.
public struct SweepResult: Sendable {
  public let setup: Sweep.Setup
  public let folder: String
  public let runs: [SweepRun]
  public let fit: ChinchillaFit
  public let bootstrap: ChinchillaBootstrap
  /// As it was before the test was trained.
  public let prediction: SweepPrediction
  public var test: SweepRun?

  /// Fits the law and predicts the loss of the test, unless the prediction was written before.
  init(setup: Sweep.Setup, folder: String, runs: [SweepRun]) throws {
    (self.setup, self.folder, self.runs) = (setup, folder, runs)
    fit = try ChinchillaFit(runs.map(\.point))
    guard fit.law.hasOptimum else {
      throw SweepError.noLaw(alpha: fit.law.alpha, beta: fit.law.beta, points: "\(folder)/points.csv")
    }
    bootstrap = fit.bootstrap(samples: 2_000)
    let file = Self.predictionPath(folder)
    if pathExists(file) {
      prediction = try readJSON(file, as: SweepPrediction.self)
    } else {
      let tokensPerStep = setup.settings.batchSize * setup.settings.context
      prediction = SweepPrediction(
        fit, bootstrap, parameters: Double(setup.plan.test.shape.parameterCount),
        tokens: Double(setup.settings.steps(setup.plan.test) * tokensPerStep))
    }
  }

  public var outcome: SweepOutcome? { test.map { SweepOutcome(prediction, loss: $0.point.loss) } }
  /// Spent on steps, of all runs.
  public var seconds: Double { (runs + (test.map { [$0] } ?? [])).reduce(0) { $0 + $1.seconds } }
  /// Epochs of the test run.
  public var epochs: Double { prediction.tokens / Double(setup.uniqueTokens) }

  public var law: NamedLaw {
    let computes = runs.map(\.point.compute)
    return NamedLaw(
      name: "\(folder)/law.json", title: "sweep of \(runs.count) runs in \(folder)", form: .chinchilla(fit.law),
      largestCompute: computes.max(), smallestCompute: computes.min(), samples: bootstrap.laws)
  }

  /// The test's outcome in a sentence; nil before it is trained.
  public var verdict: String? {
    outcome.map { outcome in
      let number = { (value: Double) in significant(value, digits: 4) }
      let share = significant(abs(100 * outcome.error), digits: 2)
      let side = outcome.error > 0 ? "above" : "below"
      let interval = "\(number(outcome.prediction.lowerBound)) to \(number(outcome.prediction.upperBound))"
      let found =
        "The loss is \(number(outcome.loss)), \(share) % \(side) the prediction of \(number(outcome.prediction.loss))"
      return outcome.isInside
        ? "\(found), inside its 95 % interval of \(interval)."
        : "\(found), and misses its 95 % interval of \(interval) by \(number(outcome.miss)) nats."
    }
  }

  /// Writes the points, the law, the page, and the prediction unless it was written before.
  func write() throws {
    try Self.writePoints(runs + (test.map { [$0] } ?? []), setup, folder)
    let file = Self.predictionPath(folder)
    if !pathExists(file) { try writeJSON(prediction, to: file) }
    if let json = law.json() { try AtomicFile.write(json.serialized() + "\n", to: "\(folder)/law.json") }
    try AtomicFile.write(try ScalingReport(self).html(), to: "\(folder)/report.html")
  }

  private static func predictionPath(_ folder: String) -> String { "\(folder)/prediction.json" }

  static func writePoints(_ runs: [SweepRun], _ setup: Sweep.Setup, _ folder: String) throws {
    var csv = "N,D,loss,U,non-embedding parameters,layers,width,learning rate,seconds,run\n"
    for run in runs {
      let (point, shape) = (run.point, run.planned.shape)
      let unique = min(Double(setup.uniqueTokens), point.tokens)
      csv += "\(Int(point.parameters)),\(Int(point.tokens)),\(point.loss),\(Int(unique)),\(shape.nonEmbeddingCount),"
      csv += "\(shape.layerCount),\(shape.width),\(run.planned.learningRate),\(run.seconds),\(run.name)\n"
    }
    try AtomicFile.write(csv, to: "\(folder)/points.csv")
  }
}

extension Sweep {
  /// A warning for too many epochs.
  public static func repetitionWarning(epochs: Double) -> String {
    "the test sees the text \(significant(epochs, digits: 2)) times. Beyond about 4 times a repeated token is worth less "
      + "than a new one (Muennighoff et al. 2023), which this law does not model: more text is better"
  }
}

import Glibc
import NablaFormats
import NablaLanguage
import NablaText
import NablaTraining

/// Trains the small models of a plan, fits a law to them, predicts the loss of a larger one, and trains that one.
///
/// ```
/// config.json       the text, the settings, the measured speed, the plan
/// runs/01 … 20      a run folder of `nabla pretrain` each
/// points.csv their losses, for `nabla scaling fit`
/// law.json          the fit, for `nabla scaling plan --law`
/// prediction.json   written before the test is trained
/// test              its run folder
/// report.html       all of it
/// ```
///
/// A sweep can be stopped or killed at any point. Its progress is in the folders of its runs: complete
/// runs are not trained again, and an incomplete one continues from its checkpoint.
public final class Sweep {
  /// What `config.json` holds.
  public struct Setup: Codable, Sendable {
    /// Of the text, absolute.
    public var paths: [String]
    /// In seconds.
    public var budget: Double
    public var settings: SweepSettings
    public var speed: TrainingSpeed
    public var plan: SweepPlan
    /// Unique training tokens.
    public var uniqueTokens: Int
    public var validationTokens: Int
    /// Of the text.
    var hash: String
  }

  /// Names the kind of folder in `config.json` and in messages.
  public static let command = "sweep"
  /// The fraction of the budget that is planned: the rest is for fits, pages and a machine that slows down.
  static let plannedShare = 0.9

  /// A run of fewer steps has barely started to learn.
  static let fewestSteps = 10

  public let folder: RunFolder
  public let setup: Setup

  // MARK: Starting and resuming

  /// Measures this machine, plans what fits the budget, and makes the folder.
  ///
  /// - Parameters:
  ///   - paths: Files and folders of UTF-8 text.
  ///   - budget: In seconds, for everything.
  ///   - settings: Of the grid of runs and of their training.
  ///   - shapes: Layers and width of the models to train with each budget; nil for sizes around the optimum of a law.
  ///   - path: A folder that does not exist or is empty; nil picks `runs/sweep-DATE-N`.
  ///   - observe: Receives messages about the text and the measurement.
  /// - Throws: ``SweepError``, ``PlanError``, `ConfigurationError`, and what reading the text throws.
  public init(
    paths: [String], budget: Double, _ settings: SweepSettings = SweepSettings(),
    shapes: [(layers: Int, width: Int)]? = nil,
    at path: String? = nil, observe: (SweepEvent) throws -> Void = { _ in }
  ) throws {
    try settings.validate()
    let corpus = try TextCorpus.read(paths)
    if let skipped = corpus.skippedSummary { try observe(.message(skipped)) }
    var vocabularySize = settings.vocabulary ?? ByteTokenizer().vocabularySize
    func plan(_ compute: Double) throws(PlanError) -> SweepPlan {
      let shapes = shapes?.map { layers, width in
        TransformerShape(
          vocabularySize: vocabularySize, context: settings.context, width: width, layerCount: layers,
          headCount: width / TransformerShape.headSize(width: width), tieEmbeddings: true)
      }
      return try SweepPlan(
        compute: compute, law: Chinchilla.besiroglu, rule: settings.rule, vocabularySize: vocabularySize,
        context: settings.context, shapes: shapes, budgets: settings.budgets, sizes: settings.sizes,
        factor: settings.factor, spread: settings.spread, leap: settings.leap)
    }
    try observe(.message("measuring the training speed of this computer"))
    // A guess of 3·10¹⁰ FLOP a second gives the sizes to measure.
    let trainers = try plan(budget * 3e10).samplesOfSize(5).map { try Pretraining(paths: paths, settings.preset($0)) }
    let speed = try TrainingSpeed.measured(trainers)
    let (unique, validation) = (trainers[0].trainingTokens, trainers[0].validationTokens)
    guard validation > settings.context else {
      throw SweepError.noValidation(tokens: validation, context: settings.context)
    }
    // A small text may not have enough pairs for the requested merges.
    vocabularySize = trainers[0].setup.model.vocabularySize
    let fitting = SweepPlan.largest(budget * 1e14, plan) {
      speed.seconds($0, validationTokens: validation) <= budget * Self.plannedShare
    }
    guard let fitting, fitting.runs.allSatisfy({ settings.steps($0) >= Self.fewestSteps }) else {
      throw SweepError.budgetTooSmall(seconds: budget)
    }
    try settings.preset(fitting.test).validate()
    setup = Setup(
      paths: paths.map(absolutePath), budget: budget, settings: settings, speed: speed, plan: fitting,
      uniqueTokens: unique, validationTokens: validation, hash: corpus.contentHash())
    folder = try RunFolder.create(at: path, command: Self.command, configuration: setup)
  }

  /// Continues a sweep, even if it and its text have been moved together.
  ///
  /// - Throws: ``SweepError/otherText(paths:)``, `TrainingError` for another kind of folder, `RunFolderError`.
  public init(resuming path: String) throws {
    folder = try RunFolder.openForWriting(path)
    guard folder.command == Self.command else {
      throw TrainingError.otherCommand(path: path, command: folder.command, expected: "scaling \(Self.command)")
    }
    var setup = try folder.configuration(as: Setup.self)
    setup.paths = setup.paths.map { RunFolder.located($0, of: path) ?? $0 }
    self.setup = setup
    try checkText()
  }

  /// Losses on different texts cannot be compared.
  private func checkText() throws {
    guard try TextCorpus.read(setup.paths).contentHash() == setup.hash else {
      throw SweepError.otherText(paths: setup.paths)
    }
  }

  // MARK: The loop

  /// Trains the remaining runs.
  ///
  /// - Returns: Nil if the condition stopped it; ``init(resuming:)`` continues.
  public func train(
    until stop: StopCondition = .never, observe: (SweepEvent) throws -> Void = { _ in }
  ) throws -> SweepResult? {
    let (plan, count) = (setup.plan, setup.plan.runs.count)
    var runs: [SweepRun] = []
    for (index, run) in plan.runs.enumerated() {
      let name = Self.runName(index)
      try observe(.begins(name: name, number: index + 1, of: count + 1, run))
      guard let done = try train(run, in: name, until: stop, observe) else { return nil }
      runs.append(done)
      try observe(.trained(done))
    }
    // Kept even if they determine no law.
    try SweepResult.writePoints(runs, setup, folder.path)
    var result = try SweepResult(setup: setup, folder: folder.path, runs: runs)
    try result.write()
    try observe(.predicted(result.prediction))
    try observe(.begins(name: "test", number: count + 1, of: count + 1, plan.test))
    guard let test = try train(plan.test, in: "test", until: stop, observe) else { return nil }
    try observe(.trained(test))
    result.test = test
    try result.write()
    return result
  }

  /// The folder of a run, in that of the sweep.
  static func runName(_ index: Int) -> String { "runs/" + (index < 9 ? "0" : "") + "\(index + 1)" }

  /// A run in its folder: read if complete, continued if started, else trained from the beginning.
  private func train(
    _ planned: SweepPlan.Run, in name: String, until stop: StopCondition, _ observe: (SweepEvent) throws -> Void
  ) throws -> SweepRun? {
    let path = "\(folder.path)/\(name)"
    if let done = try SweepRun(completeAt: path, name: name, planned) { return done }
    let run: TrainingRun<Pretraining>
    if pathExists("\(path)/config.json") {
      run = try Pretraining.resume(path) { try observe(.run($0)) }
    } else {
      try checkText()
      // What is left of a folder whose creation was interrupted.
      if pathExists(path) { try removeTree(path) }
      var preset = setup.settings.preset(planned)
      // A checkpoint about every half minute: a kill costs no more.
      let stepSeconds =
        setup.speed.secondsPerToken(parameters: Double(planned.shape.parameterCount))
        * Double(preset.training.batchSize * preset.model.context)
      preset.training.checkpointEvery = max(10, Int(30 / stepSeconds))
      run = try TrainingRun(Pretraining(paths: setup.paths, preset), at: path)
    }
    guard try run.train(until: stop, observe: { try observe(.run($0)) }) == .finished else { return nil }
    guard let done = try SweepRun(completeAt: path, name: name, planned) else { throw SweepError.noLoss(run: path) }
    return done
  }
}

/// The progress events of a sweep.
public enum SweepEvent: Sendable {
  case message(String)
  /// A run begins, continues, or is read.
  case begins(name: String, number: Int, of: Int, SweepPlan.Run)
  case run(RunEvent)
  case trained(SweepRun)
  /// All but the test are trained, and the test is about to be.
  case predicted(SweepPrediction)
}

/// Why a sweep cannot start or continue.
public enum SweepError: SettingError, Equatable {
  case budgetTooSmall(seconds: Double)
  case noValidation(tokens: Int, context: Int)
  case otherText(paths: [String])
  case noLoss(run: String)
  case incomplete(run: String)
  case noLaw(alpha: Double, beta: Double, points: String)

  public var message: SettingMessage {
    switch self {
    case .budgetTooSmall(let seconds):
      """
      this computer cannot train such a sweep in \(duration(seconds)): give a larger \(setting: "budget"), fewer \
      \(setting: "budgets") or \(setting: "sizes"), or a smaller \(setting: "vocabulary")
      """
    case .noValidation(let tokens, let context):
      """
      \(tokens) tokens are too few for validation with a context of \(context): give more text, or a larger \
      \(setting: "validation-fraction")
      """
    case .otherText(let paths):
      """
      the text in \(paths.joined(separator: ", ")) is not the text that this sweep started with: restore \
      it, or start a new sweep. Losses on different texts cannot be compared
      """
    case .noLaw(let alpha, let beta, let points):
      """
      the losses in \(points) do not decrease with both parameters and tokens (the fitted exponents are \
      \(significant(alpha, digits: 3)) and \(significant(beta, digits: 3))), so they predict nothing: start a new sweep \
      with a larger \(setting: "budget"), or another \(setting: "learning-rate")
      """
    case .noLoss(let run): "\(run) has ended without a validation loss: remove it to train it again"
    case .incomplete(let run): "\(run) is not complete: resume the sweep, which needs all of its runs to fit a law"
    }
  }
}

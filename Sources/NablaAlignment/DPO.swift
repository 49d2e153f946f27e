import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

/// Direct preference optimization (Rafailov et al. 2023): a policy learns from preference pairs, without a reward
/// model.
///
///     L = -ln σ(β·(ln π(y_w|x)/π_ref(y_w|x) - ln π(y_l|x)/π_ref(y_l|x)))       and its variants: see `DPOLoss`
///
/// π_ref is the model before training. Its log-probabilities of every pair are computed once, before the first step.
public final class DPO: Trainer {
  public static let command = "dpo"

  /// ``settings`` describes each field.
  public struct Configuration: Configurable, Hashable {
    public var tuning = TuningConfiguration()
    public var loss = DPOLoss.sigmoid
    public var beta: Float = 0.1
    public var labelSmoothing: Float = 0
    public var referenceFree = false

    public init() {
      tuning.batchSize = 4
      tuning.learningRate = 5e-5
    }

    public static let settings: [Setting<Configuration>] =
      TuningConfiguration.settings.map { $0.within(\.tuning) } + [
        Setting("loss", \.loss, "Preference loss, under TRL's names"),
        Setting("beta", \.beta, in: .positive, "β, the strength of the KL constraint to the reference"),
        Setting(
          "label-smoothing", \.labelSmoothing, in: SettingRange("at least 0 and less than 0.5") { $0 >= 0 && $0 < 0.5 },
          "Label smoothing ε, the fraction of wrong labels; for sigmoid, robust and exo_pair"),
        Setting("reference-free", \.referenceFree, "Uniform reference instead of the initial model"),
      ]

    public func validateTogether() throws(ConfigurationError) {
      try tuning.validateTogether()
      try require(
        loss != .exoPair || labelSmoothing > 0, "\(setting: "label-smoothing") must be more than 0 for exo_pair")
      try require(
        labelSmoothing == 0 || [.sigmoid, .robust, .exoPair].contains(loss),
        "\(setting: "label-smoothing") is for the losses sigmoid, robust and exo_pair, not \(loss.rawValue)")
    }
  }

  /// The contents of `config.json`.
  public struct Setup: Codable, Sendable {
    public var source: TunedModel.Source
    public var data: TuningData.Description
    public var training: Configuration
  }

  public let setup: Setup
  public let tuned: TunedModel
  public let data: TuningData
  private let pairs: [EncodedPair]
  private let heldOut: [EncodedPair]
  private let schedule: BatchSchedule
  private var loop: TuningLoop
  /// Of training pairs and of held-out ones; nil until they are computed or loaded.
  private var reference: ReferenceLogProbabilities?

  private var c: TuningConfiguration { setup.training.tuning }
  public var progress: RunProgress { loop.progress }
  public var cadence: RunCadence {
    RunCadence(evaluateEvery: c.evaluateEvery, sampleEvery: c.sampleEvery, checkpointEvery: c.checkpointEvery)
  }

  /// A new run. See ``SFT/init(_:data:_:)``.
  public convenience init(_ model: String, data: TuningData.Description, _ configuration: Configuration) throws {
    try configuration.validate()
    let source = try TunedModel.Source(model, quantization: configuration.tuning.quantization)
    try self.init(Setup(source: source, data: data, training: configuration))
  }

  /// A resumed run.
  public static func resume(_ path: String, observe: TrainingRun<DPO>.Observer = { _ in }) throws -> TrainingRun<DPO> {
    try TrainingRun(resuming: path, observe: observe) { setup, _ in try DPO(setup) }
  }

  private init(_ setup: Setup) throws {
    let c = setup.training.tuning
    var random = RandomSource(seed: c.seed)
    tuned = try TunedModel(setup.source, c, keepsReference: !setup.training.referenceFree, random: &random)
    data = try TuningData(setup.data, c, for: tuned.trained)
    self.setup = Setup(source: setup.source, data: data.hashed, training: setup.training)
    (pairs, heldOut) = try data.pairs(c)
    // Both completions of a pair are processed: pairs of similar length are batched together.
    schedule = BatchSchedule(
      lengths: pairs.map { $0.chosen.tokens.count + $0.rejected.tokens.count }, layout: .grouped,
      batchSize: c.batchSize, seed: c.seed)
    loop = TuningLoop(c, microBatchesPerEpoch: schedule.stepsPerEpoch, random: random)
  }

  // MARK: The reference

  /// The reference's log-probabilities of every pair; zeros without one.
  private func referenceLogProbabilities() throws -> ReferenceLogProbabilities {
    if let reference { return reference }
    let all = pairs + heldOut
    let new =
      setup.training.referenceFree
      ? ReferenceLogProbabilities(key: try referenceKey(), count: all.count)
      : try ReferenceLogProbabilities(key: referenceKey(), of: all, batchSize: c.batchSize, tuned)
    reference = new
    return new
  }

  /// The model, the rows and their encoding.
  private func referenceKey() throws -> String {
    let d = setup.data
    let parts = [
      try tuned.referenceHash(), data.hash, "\(c.maximumLength)", d.truncation.rawValue, d.template ?? "",
      "\(pairs.count) \(heldOut.count) \(setup.training.referenceFree)",
    ]
    return SHA256.hexadecimal(of: Array(parts.joined(separator: "\n").utf8))
  }

  // MARK: The step

  /// The loss of each pair, and its metrics.
  private func loss(
    _ batch: PairBatch, _ indices: [Int], of model: TransformerLM, random: RandomSource?
  ) throws -> (losses: Tensor, outcome: PairOutcomes) {
    let policy = model.logProbabilities(of: batch, random: random)
    let reference = try referenceLogProbabilities().of(indices)
    let beta = Tensor(setup.training.beta)
    let values = PreferenceLogProbabilities(
      chosen: policy.chosen, rejected: policy.rejected, reference: reference, chosenLengths: batch.chosenLengths,
      rejectedLengths: batch.rejectedLengths)
    let losses = setup.training.loss(values, beta: beta, labelSmoothing: setup.training.labelSmoothing)
    let rewards = values.implicitRewards(beta: beta)
    return (
      losses,
      PairOutcomes(
        chosen: rewards.chosen.array(), rejected: rewards.rejected.array(),
        chosenLogProbabilities: policy.chosen.stopGradient().array(),
        rejectedLogProbabilities: policy.rejected.stopGradient().array())
    )
  }

  public func step() throws -> StepReport {
    let start = monotonicSeconds()
    let parts = (0..<c.gradientAccumulation).map { part in
      let indices = schedule.rows(step: loop.step * c.gradientAccumulation + part).flatMap { $0 }
      return (indices: indices, batch: PairBatch(indices.map { pairs[$0] }))
    }
    var outcomes = PairOutcomes()
    let microBatches = parts.map { part in
      let random = loop.random.split()
      return MicroBatch<TransformerLM>(weight: Double(part.indices.count)) { [self] model in
        tuned.setDropout(random)
        let (losses, outcome) = try loss(part.batch, part.indices, of: model, random: random)
        outcomes.append(outcome)
        return losses.mean()
      }
    }
    // The reference pass, if still needed, comes before anything is recorded.
    _ = try referenceLogProbabilities()
    var (metrics, outcome) = try loop.take(
      on: tuned.model, microBatches, tokens: parts.reduce(0) { $0 + $1.batch.batch.tokenCount })
    let pairsPerSecond = Double(outcomes.count) / (monotonicSeconds() - start)
    metrics += outcomes.metrics() + [Metric("pairs_per_second", pairsPerSecond), Metric("epoch", loop.epoch)]
    return StepReport(
      metrics,
      figures: [
        Figure("loss", outcome.loss), Figure("margin", outcomes.margin), Figure("accuracy", outcomes.accuracy),
        Figure("pairs/s", pairsPerSecond, isRate: true),
      ],
      skipped: outcome.skipped)
  }

  // MARK: Evaluation

  /// On held-out pairs: the loss, TRL's metrics, the calibration of σ(margin), and the KL divergence from
  /// the reference on chosen completions.
  public func evaluate(isFinal: Bool) throws -> [Metric] {
    guard !heldOut.isEmpty else { return [] }
    tuned.setDropout(nil)
    var (sum, outcomes) = (0.0, PairOutcomes())
    try withoutGradient {
      for start in stride(from: 0, to: heldOut.count, by: c.batchSize) {
        let range = start..<min(start + c.batchSize, heldOut.count)
        let (losses, outcome) = try loss(
          PairBatch(Array(heldOut[range])), range.map { pairs.count + $0 }, of: tuned.model, random: nil)
        sum += losses.array().reduce(0) { $0 + Double($1) }
        outcomes.append(outcome)
      }
    }
    var metrics = [Metric("validation_loss", sum / Double(heldOut.count))] + outcomes.metrics(prefix: "eval_")
    metrics.append(Metric("eval_calibration_error", outcomes.calibration.expectedError))
    if !setup.training.referenceFree {
      metrics.append(Metric("eval_kl", tuned.divergence(on: heldOut.prefix(16).map(\.chosen))))
    }
    return metrics
  }

  public func sample() throws -> RunSample? {
    try tuned.sample(data.heldOut.isEmpty ? data.training : data.heldOut, data.encoder, length: c.sampleLength)
  }

  // MARK: Saving

  public func save(to folder: String) throws {
    try tuned.save(to: folder)
    try loop.save(to: folder)
    try writeJSON(referenceLogProbabilities(), to: "\(folder)/reference.json")
  }

  public func restore(from checkpoint: Checkpoint) throws {
    try tuned.restore(from: checkpoint.path)
    try loop.restore(from: checkpoint, for: tuned.model)
    // Log-probabilities of another model or other rows are recomputed.
    let saved = try readJSON(checkpoint.file("reference.json"), as: ReferenceLogProbabilities.self)
    if saved.key == (try referenceKey()) { reference = saved }
  }

  public func finish(in run: RunFolder) throws {
    if progress.isFinished { try tuned.finish(in: run) }
  }
}

extension DPOLoss: SettingValue {}

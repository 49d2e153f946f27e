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
/// π_ref is the model before training. Its log-probabilities of a pair are computed once, when the pair is first used.
public final class DPO: Trainer {
  public static let command = "dpo"

  public typealias Setup = TuningSetup<Configuration>

  public let setup: Setup
  public let tuned: TunedModel
  public let data: TuningData
  private let pairs: [EncodedPair]
  private let heldOut: [EncodedPair]
  private let schedule: BatchSchedule
  private var loop: TuningLoop
  /// Of training pairs, then of held-out ones; nil without a reference.
  private var reference: ReferenceLogProbabilities?
  /// Nil where β is fixed.
  private let learnedBeta: LearnedBeta?

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
    try TrainingRun(resuming: path, observe: observe) { setup, _ in
      try DPO(setup.located(of: path))
    }
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
    let training = setup.training
    learnedBeta = training.betaLearningRate.map { LearnedBeta(training.beta, learningRate: $0) }
    if !training.referenceFree {
      reference = try ReferenceLogProbabilities(key: referenceKey(), count: pairs.count + heldOut.count)
    }
  }

  // MARK: The reference

  /// The model, the rows and how they become tokens.
  private func referenceKey() throws -> String {
    let d = setup.data
    let parts = [
      try tuned.referenceHash(), data.hash, "\(c.maximumLength)", d.truncation.rawValue, d.template ?? "",
      "\(pairs.count) \(heldOut.count) \(setup.training.referenceFree)",
    ]
    return SHA256.hexadecimal(of: Array(parts.joined(separator: "\n").utf8))
  }

  // MARK: The step

  /// Pairs that go through the model together, and their reference log-probabilities.
  private struct Part {
    var batch: PairBatch
    var reference: (chosen: Tensor, rejected: Tensor)?
    var count: Int { batch.pairs.count }

    /// What a policy says that is the reference still; nil without a reference.
    var atStart: PreferenceLogProbabilities? { reference.map { values($0, $0) } }

    func values(
      _ policy: (chosen: Tensor, rejected: Tensor), _ reference: (chosen: Tensor, rejected: Tensor)?
    ) -> PreferenceLogProbabilities {
      PreferenceLogProbabilities(
        chosen: policy.chosen, rejected: policy.rejected, reference: reference, chosenLengths: batch.chosenLengths,
        rejectedLengths: batch.rejectedLengths)
    }
  }

  private func part(_ pairs: [EncodedPair], numbers: [Int]) throws -> Part {
    Part(
      batch: PairBatch(pairs, for: tuned.model.configuration),
      reference: try reference?.of(pairs, numbers: numbers, tuned))
  }

  /// The log-probabilities of pairs by policy and reference.
  private func logProbabilities(
    _ part: Part, of model: TransformerLM, random: RandomSource? = nil
  ) -> PreferenceLogProbabilities {
    tuned.setDropout(random)
    return part.values(part.batch.logProbabilities(model, random: random), part.reference)
  }

  /// The current β.
  private var beta: Tensor { learnedBeta?.value.stopGradient() ?? Tensor(setup.training.beta) }

  /// Of each pair: [P].
  private func losses(_ values: PreferenceLogProbabilities, beta: Tensor) -> Tensor {
    setup.training.loss(values, beta: beta, labelSmoothing: setup.training.labelSmoothing)
  }

  public func step() throws -> StepReport {
    let (start, beta) = (monotonicSeconds(), self.beta)
    // The reference's forward pass comes before anything is recorded.
    let parts = try (0..<c.gradientAccumulation).map { part in
      let numbers = schedule.rows(step: loop.step * c.gradientAccumulation + part).flatMap { $0 }
      return try self.part(numbers.map { pairs[$0] }, numbers: numbers)
    }
    var outcomes = PairOutcomes()
    var seen: [PreferenceLogProbabilities] = []
    let microBatches = parts.map { part in
      let random = loop.random.split()
      return MicroBatch<TransformerLM>(weight: Double(part.count)) { [self] model in
        let values = logProbabilities(part, of: model, random: random)
        outcomes.append(PairOutcomes(values, beta: beta))
        seen.append(values.constant)
        return losses(values, beta: beta).mean()
      }
    }
    var (metrics, outcome) = try loop.take(
      on: tuned.model, microBatches, tokens: parts.reduce(0) { $0 + $1.batch.tokenCount })
    if let learnedBeta, outcome.skipped == nil {
      learnedBeta.step { beta in .concatenate(seen.map { losses($0, beta: beta) }) }
    }
    let pairsPerSecond = Double(outcomes.count) / (monotonicSeconds() - start)
    metrics += outcomes.metrics()
    if learnedBeta != nil { metrics.append(Metric("beta", Double(beta.item()))) }
    metrics += [Metric("pairs_per_second", pairsPerSecond), Metric("epoch", loop.epoch)]
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
    // Before the first step the policy is the reference: one pass says what both say.
    let isStart = loop.step == 0 && reference != nil
    var (sum, outcomes) = (0.0, PairOutcomes())
    try withoutGradient {
      for start in stride(from: 0, to: heldOut.count, by: c.batchSize) {
        let range = start..<min(start + c.batchSize, heldOut.count)
        let part = try self.part(Array(heldOut[range]), numbers: range.map { pairs.count + $0 })
        let values = isStart ? part.atStart! : logProbabilities(part, of: tuned.model)
        sum += losses(values, beta: beta).array().reduce(0) { $0 + Double($1) }
        outcomes.append(PairOutcomes(values, beta: beta))
      }
    }
    guard sum.isFinite, outcomes.margin.isFinite else {
      throw Diverged(reason: "the rewards of held-out pairs are non-finite")
    }
    var metrics = [Metric("validation_loss", sum / Double(heldOut.count))] + outcomes.metrics(prefix: "eval_")
    metrics.append(Metric("eval_calibration_error", outcomes.calibration.expectedError))
    if !setup.training.referenceFree {
      let kl = isStart ? 0 : tuned.divergence(on: heldOut.prefix(16).map(\.chosen))
      metrics.append(Metric("eval_kl", kl))
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
    if let reference { try writeJSON(reference, to: "\(folder)/reference.json") }
    try learnedBeta?.save(to: folder)
  }

  public func restore(from checkpoint: Checkpoint) throws {
    try tuned.restore(from: checkpoint.path)
    try loop.restore(from: checkpoint, for: tuned.model)
    try learnedBeta?.restore(from: checkpoint)
    guard let reference else { return }
    // For another model or other rows they are computed again.
    let saved = try readJSON(checkpoint.file("reference.json"), as: ReferenceLogProbabilities.self)
    if saved.key == reference.key { self.reference = saved }
  }

  public func finish(in run: RunFolder) throws {
    if progress.isFinished { try tuned.finish(in: run) }
  }
}

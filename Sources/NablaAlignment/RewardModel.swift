import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

/// A reward model learns from pairs which of two completions people choose (Bradley & Terry 1952; Ouyang et al. 2022).
///
///     L = -ln σ(r(x, y_w) - r(x, y_l) - margin) + c·(r(x, y_w) + r(x, y_l))²
///
/// r is a linear head on the hidden state of the last token: the end token, with which every completion is read, in
/// training and later. The mean is over pairs. Documentation/reward-model.md explains each line here.
public final class RewardModel: Trainer {
  public static let command = "reward"

  /// ``settings`` says what each field means.
  public struct Configuration: Configurable, Hashable {
    public var tuning = TuningConfiguration()
    /// c.
    public var centering: Float = 0

    public init() {
      tuning.learningRate = 1e-4
      // The samples of this training are pairs with their rewards.
      tuning.sampleLength = 0
    }

    public static let settings: [Setting<Configuration>] =
      TuningConfiguration.settings.filter { $0.name != "sample-length" }.map { setting in
        setting.name == "max-length"
          ? Setting(
            "max-length", \.tuning.maximumLength, in: .range(2...1 << 24),
            "Maximum length of a completion with its prompt, in tokens; longer pairs are dropped")
          : setting.within(\.tuning)
      } + [
        Setting(
          "centering", \.centering, in: .nonNegative,
          "Weight of the penalty that centers rewards at 0: the squared sum of a pair's rewards")
      ]

    public func validateTogether() throws(ConfigurationError) { try tuning.validateTogether() }
  }

  public typealias Setup = TuningSetup<Configuration>

  public let setup: Setup
  public let tuned: TunedModel
  public let data: TuningData
  /// What is trained.
  public let scorer: Scorer
  private let pairs, heldOut: [EncodedPair]
  /// By pairs, of those that have any.
  private let margins: [DatasetPlace: Float]
  private let schedule: BatchSchedule
  private var loop: TuningLoop

  private var c: TuningConfiguration { setup.training.tuning }
  public var model: ScoreModel { scorer.model }
  public var progress: RunProgress { loop.progress }
  public var cadence: RunCadence {
    RunCadence(evaluateEvery: c.evaluateEvery, sampleEvery: c.sampleEvery, checkpointEvery: c.checkpointEvery)
  }

  /// A training from its beginning.
  ///
  /// - Parameters:
  ///   - model: a file or folder that `TrainedModel` takes, or that of a reward model, which is trained on.
  ///   - data: JSONL files of pairs: a prompt, a chosen and a rejected completion.
  ///   - configuration: checked before anything is read.
  /// - Throws: ``AlignmentError``, `ConfigurationError`, and what reading the model and the data throws.
  public convenience init(_ model: String, data: TuningData.Description, _ configuration: Configuration) throws {
    try configuration.validate()
    let source = try TunedModel.Source(model, quantization: configuration.tuning.quantization)
    try self.init(Setup(source: source, data: data, training: configuration))
  }

  /// A run that continues.
  public static func resume(
    _ path: String, observe: TrainingRun<RewardModel>.Observer = { _ in }
  ) throws -> TrainingRun<RewardModel> {
    try TrainingRun(resuming: path, observe: observe) { setup, _ in
      try RewardModel(setup.located(of: path))
    }
  }

  private init(_ setup: Setup) throws {
    let c = setup.training.tuning
    var random = RandomSource(seed: c.seed)
    tuned = try TunedModel(setup.source, c, allowsScores: true, random: &random)
    scorer = try Scorer(starting: tuned)
    var data = try TuningData(setup.data, c, for: tuned.trained, dropsTruncated: true)
    self.setup = Setup(source: setup.source, data: data.hashed, training: setup.training)
    (pairs, heldOut) = try data.wholePairs(c)
    if heldOut.isEmpty, !data.heldOut.isEmpty {
      data.warnings.append("no held-out rows are left for evaluation: all are longer than the maximum length")
    }
    self.data = data
    margins = try data.margins()
    schedule = BatchSchedule(
      lengths: pairs.map { $0.chosen.tokens.count + $0.rejected.tokens.count }, layout: .grouped,
      batchSize: c.batchSize, seed: c.seed)
    loop = TuningLoop(c, microBatchesPerEpoch: schedule.stepsPerEpoch, random: random)
  }

  // MARK: The step

  /// The loss of each pair, [P], and the rewards.
  private func loss(_ pairs: [EncodedPair], of model: ScoreModel, random: RandomSource?) -> (Tensor, PairOutcomes) {
    let n = pairs.count
    let rewards = model(pairs.flatMap { [$0.chosen.tokens, $0.rejected.tokens] }, random: random).reshaped([n, 2])
      .transposed()
    let (chosen, rejected) = (rewards[0], rewards[1])
    let margin = margins.isEmpty ? nil : Tensor(pairs.map { $0.place.flatMap { margins[$0] } ?? 0 })
    let losses = bradleyTerryLoss(
      chosen: chosen, rejected: rejected, margin: margin, centering: setup.training.centering)
    return (
      losses, PairOutcomes(chosen: chosen.stopGradient().array(), rejected: rejected.stopGradient().array())
    )
  }

  public func step() throws -> StepReport {
    let start = monotonicSeconds()
    let parts = (0..<c.gradientAccumulation).map { part in
      schedule.rows(step: loop.step * c.gradientAccumulation + part).flatMap { $0 }.map { pairs[$0] }
    }
    var outcomes = PairOutcomes()
    let microBatches = parts.map { part in
      let random = loop.random.split()
      return MicroBatch<ScoreModel>(weight: Double(part.count)) { [self] model in
        tuned.setDropout(random)
        let (losses, outcome) = loss(part, of: model, random: random)
        outcomes.append(outcome)
        return losses.mean()
      }
    }
    let tokens = parts.joined().reduce(0) { $0 + $1.chosen.tokens.count + $1.rejected.tokens.count }
    var (metrics, outcome) = try loop.take(on: model, microBatches, tokens: tokens)
    let pairsPerSecond = Double(outcomes.count) / (monotonicSeconds() - start)
    metrics += outcomes.rewardMetrics() + [Metric("pairs_per_second", pairsPerSecond), Metric("epoch", loop.epoch)]
    return StepReport(
      metrics,
      figures: [
        Figure("loss", outcome.loss), Figure("margin", outcomes.margin), Figure("accuracy", outcomes.accuracy),
        Figure("pairs/s", pairsPerSecond, isRate: true),
      ],
      skipped: outcome.skipped)
  }

  // MARK: Looking at the model

  /// The loss and the rewards of held-out pairs.
  private func judgeHeldOut() throws -> (loss: Double, outcomes: PairOutcomes) {
    tuned.setDropout(nil)
    var (sum, outcomes) = (0.0, PairOutcomes())
    withoutGradient {
      for start in stride(from: 0, to: heldOut.count, by: c.batchSize) {
        let (losses, outcome) = loss(
          Array(heldOut[start..<min(start + c.batchSize, heldOut.count)]), of: model, random: nil)
        sum += losses.array().reduce(0) { $0 + Double($1) }
        outcomes.append(outcome)
      }
    }
    guard sum.isFinite else { throw Diverged(reason: "the rewards of held-out pairs are non-finite") }
    return (sum / Double(max(heldOut.count, 1)), outcomes)
  }

  /// On held-out pairs: the loss, TRL's metrics, the 95 % interval of the accuracy, and how well σ of the difference is
  /// calibrated.
  public func evaluate(isFinal: Bool) throws -> [Metric] {
    guard !heldOut.isEmpty else { return [] }
    let (loss, outcomes) = try judgeHeldOut()
    let interval = outcomes.accuracyInterval
    return [Metric("validation_loss", loss)] + outcomes.rewardMetrics(prefix: "eval_") + [
      Metric("eval_accuracy_low", interval.lowerBound), Metric("eval_accuracy_high", interval.upperBound),
      Metric("eval_calibration_error", outcomes.calibration.expectedError),
    ]
  }

  /// The calibration curve, and some held-out pairs with their rewards.
  public func sample() throws -> RunSample? {
    guard !heldOut.isEmpty else { return nil }
    let outcomes = try judgeHeldOut().outcomes
    var text = "observed preference rate by predicted probability\n\(outcomes.calibrationTable)"
    for (i, pair) in heldOut.prefix(3).enumerated() {
      text += "\n== prompt\n\(tuned.tokenizer.decode(Array(pair.prompt)))\n"
      let sides = [("chosen", pair.chosen, outcomes.chosen[i]), ("rejected", pair.rejected, outcomes.rejected[i])]
      for (name, side, reward) in sides {
        text += "-- \(name), reward \(significant(Double(reward), digits: 3))\n"
        text += "\(tuned.tokenizer.decode(Array(side.tokens.dropFirst(side.promptCount))))\n"
      }
    }
    return RunSample(text: text)
  }

  // MARK: Saving

  /// The adapter, or with full fine-tuning the model, where those who look for either find it.
  private func scorerFolder(in folder: String) -> String {
    scorer.adapter == nil ? folder : "\(folder)/\(AdapterRun.folderName)"
  }

  public func save(to folder: String) throws {
    try scorer.save(to: scorerFolder(in: folder))
    try loop.save(to: folder)
  }

  public func restore(from checkpoint: Checkpoint) throws {
    try scorer.restore(from: scorerFolder(in: checkpoint.path))
    try loop.restore(from: checkpoint, for: model)
  }

  /// `model`, with the adapter's change in its weights, and the adapter by itself.
  public func finish(in run: RunFolder) throws {
    guard progress.isFinished else { return }
    try AtomicFolder.write(to: "\(run.path)/model") { try ModelFolder.save(model, of: tuned.trained, to: $0) }
    if scorer.adapter != nil {
      try AtomicFolder.write(to: "\(run.path)/\(AdapterRun.folderName)") { try scorer.save(to: $0) }
    }
  }
}

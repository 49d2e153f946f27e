import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

/// Supervised fine-tuning: a model learns completions, or the assistant's turns.
///
///     L = -(1/N) Σ ln π(y_t | x, y_<t)        over the N learned tokens of the whole batch
///
/// ```swift
/// let sft = try SFT("model.gguf", data: .init(files: ["rows.jsonl"]), SFT.Configuration())
/// let outcome = try TrainingRun(sft, at: "runs/sft").train()
/// ```
public final class SFT: Trainer {
  public static let command = "sft"

  /// ``settings`` describes each field.
  public struct Configuration: Configurable, Hashable {
    public var tuning = TuningConfiguration()
    public var packing = true

    public init() {}

    public static let settings: [Setting<Configuration>] =
      TuningConfiguration.settings.map { $0.within(\.tuning) } + [
        Setting(
          "packing", \.packing,
          "Packing of whole examples into rows of the maximum length; otherwise one example per row")
      ]

    public func validateTogether() throws(ConfigurationError) { try tuning.validateTogether() }
  }

  public typealias Setup = TuningSetup<Configuration>

  public let setup: Setup
  public let tuned: TunedModel
  public let data: TuningData
  /// The examples that fit the maximum length.
  private let examples: [EncodedExample]
  private let heldOut: [EncodedExample]
  private let schedule: BatchSchedule
  private var loop: TuningLoop

  private var c: TuningConfiguration { setup.training.tuning }
  public var progress: RunProgress { loop.progress }
  public var cadence: RunCadence {
    RunCadence(
      evaluateEvery: c.evaluateEvery, sampleEvery: c.sampleEvery, checkpointEvery: c.checkpointEvery)
  }

  /// A new run.
  ///
  /// - Parameters:
  ///   - model: a file or folder that `TrainedModel` accepts; the adapter of a run that trained one is trained further.
  ///   - data: JSONL files of texts, completions or conversations.
  ///   - configuration: checked before anything is read.
  /// - Throws: ``AlignmentError``, `ConfigurationError`, and what reading the model and the data throws.
  public convenience init(_ model: String, data: TuningData.Description, _ configuration: Configuration) throws {
    try configuration.validate()
    let source = try TunedModel.Source(model, quantization: configuration.tuning.quantization)
    try self.init(Setup(source: source, data: data, training: configuration))
  }

  /// A resumed run.
  public static func resume(
    _ path: String, observe: TrainingRun<SFT>.Observer = { _ in }
  ) throws -> TrainingRun<SFT> {
    try TrainingRun(resuming: path, observe: observe) { setup, _ in
      try SFT(setup.located(of: path))
    }
  }

  private init(_ setup: Setup) throws {
    let c = setup.training.tuning
    var random = RandomSource(seed: c.seed)
    tuned = try TunedModel(setup.source, c, random: &random)
    data = try TuningData(setup.data, c, for: tuned.trained)
    self.setup = Setup(source: setup.source, data: data.hashed, training: setup.training)
    examples = try data.encoder.encode(data.training).elements
    heldOut = try Array(data.encoder.encode(data.heldOut).elements.prefix(c.evaluationRows))
    guard !examples.isEmpty else {
      throw AlignmentError.noRows(
        files: data.description.files, reason: "the rows left after holding some out are too long")
    }
    let batches = BatchSchedule(
      lengths: examples.map { $0.tokens.count - 1 },
      layout: setup.training.packing ? .packed(rowLength: c.maximumLength) : .grouped, batchSize: c.batchSize,
      seed: c.seed)
    schedule = batches
    loop = TuningLoop(c, microBatchesPerEpoch: batches.stepsPerEpoch, random: random)
  }

  // MARK: The step

  public func step() throws -> StepReport {
    let batches = (0..<c.gradientAccumulation).map { part in
      let rows = schedule.rows(step: loop.step * c.gradientAccumulation + part)
      return ExampleBatch(rows.joined().map { examples[$0] }, for: tuned.model.configuration)
    }
    // Each micro-batch is weighted by its learned tokens: the mean is over tokens, however they are distributed.
    let microBatches = batches.map { batch in
      let random = loop.random.split()
      return MicroBatch<TransformerLM>(weight: Double(batch.targets.count)) { [tuned] model in
        tuned.setDropout(random)
        return model.loss(hidden: batch.hidden(model, random: random), targets: batch.targets)
      }
    }
    var (metrics, outcome) = try loop.take(
      on: tuned.model, microBatches, tokens: batches.reduce(0) { $0 + $1.tokenCount })
    metrics.append(Metric("epoch", loop.epoch))
    return StepReport(
      metrics,
      figures: [
        Figure("loss", outcome.loss),
        Figure("tok/s", metrics.last { $0.name == "tokens_per_second" }!.value, isRate: true),
      ],
      skipped: outcome.skipped)
  }

  // MARK: Evaluation

  /// On held-out rows: the loss, and under TRL's names the token accuracy and the mean entropy.
  public func evaluate(isFinal: Bool) throws -> [Metric] {
    guard !heldOut.isEmpty else { return [] }
    tuned.setDropout(nil)
    let result = tuned.model.scores(of: heldOut, rowLength: c.maximumLength, batchSize: c.batchSize)
    return [
      Metric("validation_loss", result.loss), Metric("eval_mean_token_accuracy", result.accuracy),
      Metric("eval_entropy", result.entropy),
    ]
  }

  public func sample() throws -> RunSample? {
    try tuned.sample(data.heldOut.isEmpty ? data.training : data.heldOut, data.encoder, length: c.sampleLength)
  }

  // MARK: Saving

  public func save(to folder: String) throws {
    try tuned.save(to: folder)
    try loop.save(to: folder)
  }

  public func restore(from checkpoint: Checkpoint) throws {
    try tuned.restore(from: checkpoint.path)
    try loop.restore(from: checkpoint, for: tuned.model)
  }

  public func finish(in run: RunFolder) throws {
    if progress.isFinished { try tuned.finish(in: run) }
  }
}

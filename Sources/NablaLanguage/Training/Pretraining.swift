import Glibc
import NablaFormats
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

/// Trains a language model to predict the next token of a text: cross-entropy on windows of it.
///
/// ```swift
/// let preset = try Preset.named("tiny")
/// let trainer = try Pretraining(paths: ["book.txt"], preset)
/// let outcome = try TrainingRun(trainer, at: "runs/book").train { event in … }
/// ```
public final class Pretraining: Trainer {
  public static let command = "pretrain"
  public static let savesModel = true

  /// The contents of `config.json`.
  public struct Setup: Codable, Sendable {
    public var model: TransformerConfiguration
    public var training: PretrainingConfiguration
    var data: PretrainingData.Description
    /// The model's parameter count.
    public var parameterCount: Int
    /// The model whose weights training started from; nil for random ones.
    public var initialModel: String?
    /// Tokens of a training window; nil for the model's context.
    public var window: Int?
  }

  /// Everything except weights and moments that the next step depends on.
  private struct State: Codable {
    /// Steps done, skipped ones included.
    var step = 0
    var optimizerStep = 0
    var random: RandomSource
    var spikeGuard = SpikeGuard()
  }

  public let setup: Setup
  public let model: TransformerLM
  /// The last validation.
  public private(set) var validation: Evaluation?
  /// The last validation loss of `evaluation-batches` batches, by which models are compared.
  public private(set) var judgement: Double?
  public var tokenizer: any Tokenizer { data.tokenizer }
  /// A description of the text, in words.
  public var corpusSummary: String { data.summary }
  /// Training tokens, each counted once.
  public var trainingTokens: Int { data.training.count }
  /// Validation tokens.
  public var validationTokens: Int { data.validation.count }
  public var progress: RunProgress { RunProgress(done: state.step, of: totalSteps) }
  public var cadence: RunCadence {
    let c = setup.training
    return RunCadence(
      evaluateEvery: c.evaluateEvery, sampleEvery: c.sampleEvery, checkpointEvery: c.checkpointEvery)
  }

  /// The moving average's warmup: without it, a run of a thousand steps would mostly average its initial weights.
  private static let averageWarmup = 0.75

  private let data: PretrainingData
  private let batches: PretrainingBatches
  /// What the files of the model that training started from say beside its weights.
  private let initial: TrainedModel?
  private let totalSteps: Int
  private let schedule: Schedule
  private var optimization: OptimizationStep
  private var state: State

  /// A new run.
  ///
  /// - Parameters:
  ///   - paths: Files and folders of UTF-8 text.
  ///   - preset: The vocabulary size of its model is that of a BPE tokenizer; for other tokenizers it follows from the
  ///     text.
  ///   - message: Called with messages before training begins.
  /// - Throws: `ConfigurationError`, ``PretrainingError``, and what reading the text throws.
  public convenience init(paths: [String], _ preset: Preset, message: (String) throws -> Void = { _ in }) throws {
    try preset.validate()
    var model = preset.model
    let data = try PretrainingData(
      paths: paths, kind: preset.tokenizer, vocabularySize: model.vocabularySize, context: model.context,
      validationFraction: preset.training.validationFraction, message: message)
    model.vocabularySize = data.tokenizer.vocabularySize
    var random = RandomSource(seed: preset.training.seed)
    try self.init(TransformerLM(model, random: &random), preset.training, data, random)
  }

  /// A training that starts from a model, of which it keeps shape and tokenizer.
  ///
  /// - Parameters:
  ///   - paths: Files and folders of UTF-8 text.
  ///   - initialModel: What `TrainedModel` takes. Quantized weights are dequantized.
  ///   - window: Tokens of a training window; at most the model's context.
  ///   - training: Its settings of steps, batches and optimizer.
  ///   - message: Receives notes on how the text is read.
  public convenience init(
    paths: [String], from initialModel: String, window: Int, _ training: PretrainingConfiguration,
    message: (String) throws -> Void = { _ in }
  ) throws {
    try training.validate()
    let initial = try Self.trainable(initialModel)
    let window = min(window, initial.model.configuration.context)
    let data = try PretrainingData(
      paths: paths, kind: .bpe, trained: initial.tokenizer,
      vocabularySize: initial.model.configuration.vocabularySize, context: window,
      validationFraction: training.validationFraction, message: message)
    try self.init(
      initial.model, training, data, RandomSource(seed: training.seed), initial: (absolutePath(initialModel), initial),
      window: window)
  }

  /// A model whose weights can be trained.
  private static func trainable(_ path: String) throws -> TrainedModel {
    let trained = try TrainedModel(path, precision: .float32)
    trained.model.apply { $0.value.cast(.float32).copy() }
    trained.model.unfreeze()
    return trained
  }

  /// A resumed run.
  ///
  /// - Parameters:
  ///   - path: The run's folder.
  ///   - paths: The current paths of the text, if it has moved.
  ///   - allowsOtherData: Continue even if the text has changed.
  ///   - steps: Train on to so many steps in all, at least as many as the run has: after those that it has the learning
  ///     rate stays where its schedule ends. Nil for the run's own.
  ///   - observe: Receives events before training begins.
  public static func resume(
    _ path: String, paths: [String] = [], allowsOtherData: Bool = false, steps: Int? = nil,
    observe: TrainingRun<Pretraining>.Observer = { _ in }
  ) throws -> TrainingRun<Pretraining> {
    try TrainingRun(resuming: path, observe: observe) { setup, checkpoint in
      let initial = try setup.initialModel.map { try trainable(checkpoint?.path ?? $0) }
      let data = try PretrainingData(
        paths: paths.isEmpty ? setup.data.paths.map { RunFolder.located($0, of: path) ?? $0 } : paths,
        kind: setup.data.tokenizer,
        trained: initial?.tokenizer ?? checkpoint.map { try TokenizerFolder.load($0.path) },
        vocabularySize: setup.model.vocabularySize, context: setup.window ?? setup.model.context,
        validationFraction: setup.training.validationFraction
      ) { try observe(.message($0)) }
      let isOther = data.description.hash != setup.data.hash
      // Without a checkpoint the tokenizer is trained again, and must be the same as before.
      guard !isOther || allowsOtherData,
        initial != nil || data.tokenizer.vocabularySize == setup.model.vocabularySize
      else {
        throw PretrainingError.otherData(paths: data.description.paths)
      }
      let training = try setup.training.extended(to: steps)
      var random = RandomSource(seed: training.seed)
      if let initial, let path = setup.initialModel {
        return try Pretraining(initial.model, training, data, random, initial: (path, initial), window: setup.window)
      }
      return try Pretraining(TransformerLM(setup.model, random: &random), training, data, random)
    }
  }

  private init(
    _ model: TransformerLM, _ training: PretrainingConfiguration, _ data: PretrainingData, _ random: RandomSource,
    initial: (path: String, model: TrainedModel)? = nil, window: Int? = nil
  ) throws {
    var training = training
    self.model = model
    self.initial = initial?.model
    model.computeType = training.precision.computeType
    model.checkpointsActivations = training.activationCheckpointing
    self.data = data
    state = State(random: random)
    batches = try PretrainingBatches(data.training, context: window ?? model.configuration.context, training)
    totalSteps = batches.steps ?? training.steps
    if training.limitsWarmup == true { training.warmup = min(training.warmup, totalSteps / 10) }
    setup = Setup(
      model: model.configuration, training: training, data: data.description, parameterCount: model.parameterCount,
      initialModel: initial?.path, window: window)
    let scheduled = training.scheduleSteps ?? totalSteps
    schedule = cosine(
      peak: training.learningRate, warmup: min(training.warmup, scheduled), total: scheduled,
      final: training.finalLearningRate)
    optimization = OptimizationStep(
      training.makeOptimizer(schedule), clip: training.clip,
      average: training.ema > 0 ? MovingAverage(of: model, decay: training.ema, warmupPower: Self.averageWarmup) : nil)
  }

  // MARK: The step

  public func step() throws -> StepReport {
    let c = setup.training
    let options = CrossEntropyOptions(labelSmoothing: c.labelSmoothing, zLoss: c.zLoss)
    let (start, learningRate) = (monotonicSeconds(), schedule(optimization.optimizer.step))
    let microBatches = try (0..<c.gradientAccumulation).map { part in
      let batch = try batches[state.step * c.gradientAccumulation + part]
      let random = state.random.split()
      return MicroBatch<TransformerLM>(weight: Double(batch.targetCount)) { model in
        model.loss(batch.inputs, targets: batch.targets, options: options, random: random)
      }
    }
    optimization.spikeGuard = state.spikeGuard
    let outcome = try optimization.take(on: model, microBatches)
    state.spikeGuard = optimization.spikeGuard!
    state.step += 1
    let tokens = c.batchSize * c.gradientAccumulation * (setup.window ?? setup.model.context)
    let tokensPerSecond = Double(tokens) / (monotonicSeconds() - start)
    let teraflops = tokensPerSecond * model.trainingFlopsPerToken / 1e12
    return StepReport(
      [
        Metric("loss", outcome.loss), Metric("learning_rate", Double(learningRate)),
        Metric("gradient_norm", outcome.gradientNorm), Metric("skipped", outcome.skipped == nil ? 0 : 1),
        Metric("tokens", Double(state.step * tokens)), Metric("tokens_per_second", tokensPerSecond),
        Metric("tflops", teraflops),
      ],
      figures: [
        Figure("loss", outcome.loss), Figure("tok/s", tokensPerSecond, isRate: true),
        Figure("TFLOP/s", teraflops, isRate: true),
      ],
      skipped: outcome.skipped)
  }

  // MARK: Looking at the model

  public func evaluate(isFinal: Bool) throws -> [Metric] {
    guard data.validation.count >= 2 else { return [] }
    let c = setup.training
    func evaluation(batches: Int?) throws -> Evaluation {
      try optimization.averaged(model) {
        try model.evaluate(
          data.validation, tokenizer: tokenizer, context: setup.window ?? setup.model.context, batchSize: c.batchSize,
          batches: batches)
      }
    }
    let part = try evaluation(batches: c.evaluationBatches)
    judgement = part.loss
    let result = isFinal ? try evaluation(batches: nil) : part
    validation = result
    return [
      Metric("validation_loss", result.loss), Metric("validation_perplexity", result.perplexity),
      Metric("validation_bits_per_byte", result.bitsPerByte),
    ]
  }

  public func sample() throws -> RunSample? {
    guard setup.training.sampleLength > 0 else { return nil }
    // A model of a single text has never seen the end-of-text token: it begins at a new line instead.
    let isOneText = data.description.documents == 1 && (try? tokenizer.encode("\n")) != nil
    do {
      return try optimization.averaged(model) {
        let completion = try model.generate(
          prompt: isOneText ? "\n" : "", tokenizer: tokenizer, maximumTokens: setup.training.sampleLength,
          seed: setup.training.seed)
        return RunSample(text: completion.text)
      }
    } catch GenerationError.notFinite {
      throw weightsNotFinite()
    }
  }

  private func weightsNotFinite() -> Diverged {
    let name = model.firstNonFinite.map { "; the first non-finite parameter is \($0)" }
    return Diverged(reason: "the weights are non-finite\(name ?? "")")
  }

  // MARK: Saving

  public func save(to folder: String) throws {
    if model.firstNonFinite != nil { throw weightsNotFinite() }
    state.optimizerStep = optimization.optimizer.step
    try write(to: folder)
    try SafetensorsFile.write(optimization.optimizer.state, to: "\(folder)/optimizer.safetensors")
    if let average = optimization.average {
      try SafetensorsFile.write(average.tensors, to: "\(folder)/ema.safetensors")
    }
    try writeJSON(state, to: "\(folder)/state.json")
  }

  public func saveModel(to folder: String) throws { try optimization.averaged(model) { try write(to: folder) } }

  /// Writes the weights as they are, and what the files of the initial model said beside them.
  private func write(to folder: String) throws {
    if let initial { return try initial.save(to: folder) }
    try ModelFolder.save(model, tokenizer: tokenizer, to: folder)
  }

  public func restore(from checkpoint: Checkpoint) throws {
    state = try readJSON(checkpoint.file("state.json"), as: State.self)
    let saved = try ModelFolder.load(checkpoint.path, as: setup.model)
    for (own, other) in zip(model.parameters(), saved.parameters()) { own.value = other.value }
    try optimization.optimizer.restore(
      SafetensorsFile(path: checkpoint.file("optimizer.safetensors")).tensors(), step: state.optimizerStep, for: model)
    if setup.training.ema > 0 {
      // One update follows each step of the optimizer.
      optimization.average = MovingAverage(
        try SafetensorsFile(path: checkpoint.file("ema.safetensors")).tensors(), decay: setup.training.ema,
        warmupPower: Self.averageWarmup, updates: state.optimizerStep)
    }
  }

  public func finish(in run: RunFolder) throws {
    try optimization.averaged(model) {
      try model.analysis(of: data.validation.count >= 2 ? data.validation : data.training, tokenizer).write(to: run)
    }
  }
}

extension PretrainingConfiguration {
  /// The configuration of a run that trains further; the same one if it has so many steps already, as it has when an
  /// extended run was interrupted.
  func extended(to steps: Int?) throws(ConfigurationError) -> PretrainingConfiguration {
    guard let steps else { return self }
    try require(epochs == nil, "a run of \(setting: "epochs") cannot be given more \(setting: "steps")")
    try require(
      steps >= self.steps, "\(setting: "steps") must be at least the \(self.steps) that the run has, not \(steps)")
    if steps == self.steps { return self }
    var extended = self
    (extended.steps, extended.scheduleSteps) = (steps, scheduleSteps ?? self.steps)
    return extended
  }

  func makeOptimizer(_ schedule: @escaping Schedule) -> any Optimizer {
    let adam = AdamW(learningRate: schedule, beta1: beta1, beta2: beta2, weightDecay: weightDecay)
    // Muon's updates have unit scale in every direction: ten times AdamW's learning rate suits them.
    return optimizer == .adamw
      ? adam : Muon(learningRate: { 10 * schedule($0) }, weightDecay: weightDecay / 10, rest: adam)
  }
}

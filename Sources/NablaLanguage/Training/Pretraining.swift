import Glibc
import NablaFormats
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

/// Trains a language model from text, in a run folder, so that it can stop and go on at any step with the same bits.
public final class Pretraining {
  /// What `config.json` holds.
  public struct Setup: Codable, Sendable {
    public var model: TransformerConfiguration
    public var training: PretrainingConfiguration
    var data: PretrainingData.Description
    /// Numbers in the model.
    public var parameterCount: Int
  }

  /// Everything beside weights and moments that the next step depends on.
  private struct State: Codable {
    /// Steps done, skipped ones included.
    var step = 0
    var optimizerStep = 0
    var random: RandomSource
    var spikeGuard = SpikeGuard()
    /// Seconds spent, over all sittings.
    var seconds = 0.0
    var bestValidationLoss: Double?
  }

  public enum Outcome: Sendable, Equatable {
    case finished
    /// A signal or `stopAfter` came; the state is saved.
    case stopped(step: Int)
  }

  public let setup: Setup
  public let model: TransformerLM
  public let run: RunFolder
  /// Steps in all.
  public let totalSteps: Int
  /// The last validation.
  public private(set) var validation: Evaluation?
  public var step: Int { state.step }
  /// The loss of each step taken in this sitting.
  public private(set) var losses: [Double] = []
  public var tokenizer: any Tokenizer { data.tokenizer }
  public var corpusSummary: String {
    let d = data.description
    return "\(grouped(d.bytes)) bytes in \(d.documents) \(d.documents == 1 ? "file" : "files"), \(grouped(d.tokens)) "
      + "tokens; \(grouped(data.training.count)) to train on, \(grouped(data.validation.count)) to validate"
  }

  private let data: PretrainingData
  private let optimizer: any Optimizer
  private let schedule: Schedule
  private let store: CheckpointStore
  private let metrics: MetricsLog
  private var state: State
  private var average: MovingAverage?

  // MARK: Starting and resuming

  /// A new run.
  ///
  /// - Parameters:
  ///   - paths: files and folders of UTF-8 text.
  ///   - model: its vocabulary size is taken from the tokenizer, and is what a BPE tokenizer is trained to.
  ///   - output: the run folder; nil picks one.
  ///   - message: told what is going on before training begins.
  public convenience init(
    paths: [String], tokenizer: TokenizerKind, model: TransformerConfiguration, training: PretrainingConfiguration,
    output: String? = nil, message: (String) -> Void = { _ in }
  ) throws {
    try Self.validate(model: model, tokenizer: tokenizer, training: training)
    var model = model
    let data = try PretrainingData(
      paths: paths, kind: tokenizer, vocabularySize: model.vocabularySize, context: model.context,
      validationFraction: training.validationFraction, message: message)
    model.vocabularySize = data.tokenizer.vocabularySize
    var random = RandomSource(seed: training.seed)
    let network = TransformerLM(model, random: &random)
    let setup = Setup(
      model: model, training: training, data: data.description, parameterCount: network.parameterCount)
    let run = try RunFolder.create(at: output, command: "pretrain", configuration: setup)
    do {
      try self.init(setup, data, network, run, State(random: random), resuming: false)
    } catch {
      try? removeTree(run.path)
      throw error
    }
  }

  /// Checks what can be checked before the text is read.
  /// - Throws: `ConfigurationError` that names the flag.
  public static func validate(
    model: TransformerConfiguration, tokenizer: TokenizerKind, training: PretrainingConfiguration
  ) throws(ConfigurationError) {
    try training.validate()
    var model = model
    if tokenizer != .bpe { model.vocabularySize = 256 }
    try model.validate()
    // What training cannot do without: weights, gradients and two moments, and a few activations of each block.
    let tokens = Double(training.batchSize) * Double(model.context)
    let kept = Double(training.activationCheckpointing ? 1 : 8 * model.layerCount)
    let bytes = 16 * Double(model.parameterCount) + 4 * tokens * Double(model.width) * kept
    guard bytes < Double(physicalMemory) else {
      throw ConfigurationError(
        problem: "training this model takes more than \(scaled(bytes, [" B", " kB", " MB", " GB", " TB", " PB"])) of "
          + "memory, and this machine has \(scaled(Double(physicalMemory), [" B", " kB", " MB", " GB", " TB"])): "
          + "lower --width, --layers, --batch-size or --context")
    }
  }

  /// A run that goes on from its newest good checkpoint, or from the beginning if it had made none.
  ///
  /// - Parameters:
  ///   - paths: where the corpus is now, if not where it was.
  ///   - allowsOtherData: go on even if the corpus has changed.
  public convenience init(
    resuming path: String, paths: [String] = [], allowsOtherData: Bool = false, message: (String) -> Void = { _ in }
  ) throws {
    let run = try RunFolder.openForWriting(path)
    guard run.command == "pretrain" else {
      throw PretrainingError.otherCommand(path: path, command: run.command)
    }
    let setup = try run.configuration(as: Setup.self)
    let (checkpoint, rejected) = try CheckpointStore.newestValid(in: run.checkpointsPath)
    for problem in rejected { message("warning: \(problem); using an earlier one") }
    if checkpoint == nil {
      guard rejected.isEmpty else { throw PretrainingError.noCheckpoint(path: path) }
      message("\(path) has no checkpoint yet: starting from the beginning")
    }
    let data = try PretrainingData(
      paths: paths.isEmpty ? setup.data.paths : paths, kind: setup.data.tokenizer,
      trained: checkpoint.map { try TokenizerFolder.load($0.path) }, vocabularySize: setup.model.vocabularySize,
      context: setup.model.context, validationFraction: setup.training.validationFraction, message: message)
    guard allowsOtherData || data.description.hash == setup.data.hash else {
      throw PretrainingError.otherData(paths: data.description.paths)
    }
    guard let checkpoint else {
      guard data.tokenizer.vocabularySize == setup.model.vocabularySize else {
        throw PretrainingError.otherData(paths: data.description.paths)
      }
      var random = RandomSource(seed: setup.training.seed)
      let network = TransformerLM(setup.model, random: &random)
      try self.init(setup, data, network, run, State(random: random), resuming: true)
      return
    }
    let network = try ModelFolder.load(checkpoint.path, as: setup.model)
    let state = try decodedJSON(JSONValue(contentsOfFile: checkpoint.file("state.json")), as: State.self)
    try self.init(setup, data, network, run, state, resuming: true)
    try optimizer.restore(
      SafetensorsFile(path: checkpoint.file("optimizer.safetensors")).tensors(), step: state.optimizerStep, for: model)
    if setup.training.ema > 0 {
      average = MovingAverage(
        try SafetensorsFile(path: checkpoint.file("ema.safetensors")).tensors(), decay: setup.training.ema)
    }
    try store.discard(after: state.step)
  }

  private init(
    _ setup: Setup, _ data: PretrainingData, _ model: TransformerLM, _ run: RunFolder, _ state: State, resuming: Bool
  ) throws {
    let training = setup.training
    (self.setup, self.data, self.model, self.run, self.state) = (setup, data, model, run, state)
    model.computeType = training.precision.computeType
    model.checkpointsActivations = training.activationCheckpointing
    let windows =
      if training.epochs != nil {
        try ShuffledWindows(
          data.training, context: setup.model.context, batchSize: training.batchSize, seed: training.seed)
      } else {
        ShuffledWindows?.none
      }
    totalSteps =
      windows.map {
        ($0.stepCount(epochs: training.epochs!) + training.gradientAccumulation - 1) / training.gradientAccumulation
      }
      ?? training.steps
    schedule = cosine(
      peak: training.learningRate, warmup: min(training.warmup, totalSteps), total: totalSteps,
      final: training.finalLearningRate)
    let adam = AdamW(
      learningRate: schedule, beta1: training.beta1, beta2: training.beta2, weightDecay: training.weightDecay)
    // Muon's updates have unit scale in every direction: ten times the rate of AdamW suits them.
    optimizer =
      switch training.optimizer {
      case .adamw: adam
      case .muon:
        Muon(learningRate: { [schedule] in 10 * schedule($0) }, weightDecay: training.weightDecay / 10, rest: adam)
      }
    if training.ema > 0 { average = MovingAverage(of: model, decay: training.ema) }
    store = try CheckpointStore(folder: run.checkpointsPath)
    metrics = try MetricsLog(folder: run.path, resumingAfter: resuming ? (state.step == 0 ? -1 : state.step) : nil)
  }

  // MARK: The loop

  /// Trains until the end, a signal, or `stopAfter` steps; saves; writes the model and the report.
  ///
  /// - Parameters:
  ///   - onSample: called with the step and what the model wrote.
  /// - Throws: `PretrainingError.diverged` after several bad steps in a row, and what writing files throws; checkpoints
  ///   made before stay good.
  public func train(
    progress: ProgressDisplay, stopAfter: Int? = nil,
    onSample: (_ step: Int, _ text: String) throws -> Void = { _, _ in }
  ) throws -> Outcome {
    let c = setup.training
    let last = min(stopAfter ?? totalSteps, totalSteps)
    let tokensPerStep = c.batchSize * c.gradientAccumulation * setup.model.context
    var rate = Rate()
    if state.step == 0 {
      try validateAndRecord(whole: false)
      try sample(onSample)
    }
    while state.step < last, !StopSignal.isRequested {
      let start = monotonicSeconds()
      let learningRate = schedule(optimizer.step)
      let (loss, norm, skipped) = try takeStep(progress)
      state.step += 1
      losses.append(loss)
      let seconds = monotonicSeconds() - start
      state.seconds += seconds
      rate.add(tokensPerStep, seconds)
      let flops = rate.perSecond * model.trainingFlopsPerToken
      try metrics.record(
        step: state.step,
        [
          "loss": loss, "learning_rate": Double(learningRate), "gradient_norm": norm, "skipped": skipped ? 1 : 0,
          "tokens": Double(state.step * tokensPerStep), "tokens_per_second": Double(tokensPerStep) / seconds,
          "tflops": Double(tokensPerStep) / seconds * model.trainingFlopsPerToken / 1e12,
          "memory_bytes": Double(Memory.resident), "seconds": state.seconds,
        ])
      progress.update(
        ProgressReport(
          step: state.step, total: totalSteps, loss: loss, tokensPerSecond: rate.perSecond, flopsPerSecond: flops,
          memory: Memory.resident, secondsLeft: Double(totalSteps - state.step) * Double(tokensPerStep) / rate.perSecond
        ))
      let isEnd = state.step == totalSteps
      if isDue(c.evaluateEvery) || isEnd { try validateAndRecord(whole: isEnd, progress) }
      if isDue(c.sampleEvery) || isEnd { try sample(onSample) }
      if isDue(c.checkpointEvery) && !isEnd && state.step < last { try save() }
    }
    progress.finish()
    try save()
    try averaged { model.analysis(of: data.validation.count >= 2 ? data.validation : data.training, tokenizer) }
      .write(to: run)
    if state.step == totalSteps {
      try AtomicFolder.write(to: "\(run.path)/model") { folder in
        try averaged { try ModelFolder.save(model, tokenizer: tokenizer, to: folder) }
      }
    }
    do {
      try Report.write(for: run)
    } catch let error as ReportError {
      progress.message("warning: no report was written: \(error)")
    }
    return state.step == totalSteps ? .finished : .stopped(step: state.step)
  }

  private func isDue(_ every: Int) -> Bool { every > 0 && state.step % every == 0 }

  /// One optimizer step, or none if its loss or gradient is not to be trusted: then nothing has changed.
  private func takeStep(_ progress: ProgressDisplay) throws -> (loss: Double, norm: Double, skipped: Bool) {
    let c = setup.training
    let options = CrossEntropyOptions(labelSmoothing: c.labelSmoothing, zLoss: c.zLoss)
    var gradients = Gradients()
    var loss = 0.0
    for part in 0..<c.gradientAccumulation {
      let batch = try trainingBatch(state.step * c.gradientAccumulation + part)
      let random = state.random.split()
      let (value, sum) = valueAndGradient(of: model, accumulating: gradients) { model in
        let loss = model.loss(batch.inputs, targets: batch.targets, options: options, random: random)
        return c.gradientAccumulation == 1 ? loss : loss * Tensor(1 / Float(c.gradientAccumulation))
      }
      gradients = sum
      loss += Double(value.item())
    }
    let norm = Double(gradients.norm)
    switch state.spikeGuard.judge(loss: loss, gradientNorm: norm) {
    case .take:
      if c.clip > 0, norm > Double(c.clip) { gradients = gradients.scaled(by: c.clip / Float(norm)) }
      optimizer.update(model, with: gradients)
      average?.update(model)
      return (loss, norm, false)
    case .skip(let reason):
      progress.message("step \(state.step + 1) skipped: \(reason)\(badTensor(gradients))")
      return (loss, norm, true)
    case .stop(let reason):
      throw PretrainingError.diverged(
        step: state.step + 1, reason: reason + badTensor(gradients), run: run.path)
    }
  }

  private func badTensor(_ gradients: Gradients) -> String {
    if let name = model.parameters().first(where: { !$0.value.sumOfSquares().isFinite })?.name {
      return "; the first parameter that is not finite is \(name)"
    }
    return gradients.firstNonFinite.map { "; the first gradient that is not finite is that of \($0)" } ?? ""
  }

  private func trainingBatch(_ index: Int) throws -> TokenBatch {
    let (context, batchSize, seed) = (setup.model.context, setup.training.batchSize, setup.training.seed)
    if setup.training.epochs != nil {
      return try ShuffledWindows(data.training, context: context, batchSize: batchSize, seed: seed).batch(step: index)
    }
    return try RandomWindows(data.training, context: context, batchSize: batchSize, seed: seed).batch(step: index)
  }

  // MARK: Looking at the model

  /// With averaged weights, if there are such.
  private func averaged<Result>(_ body: () throws -> Result) rethrows -> Result {
    if let average { return try average.applied(to: model, body) }
    return try body()
  }

  private func validateAndRecord(whole: Bool, _ progress: ProgressDisplay? = nil) throws {
    guard data.validation.count >= 2 else { return }
    let result = try averaged {
      try model.evaluate(
        data.validation, tokenizer: tokenizer, batchSize: setup.training.batchSize,
        batches: whole ? nil : setup.training.evaluationBatches)
    }
    validation = result
    state.bestValidationLoss = min(state.bestValidationLoss ?? .infinity, result.loss)
    try metrics.record(
      step: state.step,
      [
        "validation_loss": result.loss, "validation_perplexity": result.perplexity,
        "validation_bits_per_byte": result.bitsPerByte,
      ])
    progress?.message(
      "step \(state.step): validation loss \(significant(result.loss, digits: 4)) nats per token, "
        + "\(significant(result.bitsPerByte, digits: 4)) bits per byte")
  }

  private func sample(_ onSample: (Int, String) throws -> Void) throws {
    guard setup.training.sampleLength > 0 else { return }
    // A model of one text has never seen what comes after a text's end: it begins at a new line instead.
    let isOneText = data.description.documents == 1 && (try? tokenizer.encode("\n")) != nil
    let text: String
    do {
      text = try averaged {
        try model.generate(
          prompt: isOneText ? "\n" : "", tokenizer: tokenizer, maximumTokens: setup.training.sampleLength,
          seed: setup.training.seed
        ).text
      }
    } catch GenerationError.notFinite {
      throw PretrainingError.diverged(
        step: state.step, reason: "the weights are not finite" + badTensor(Gradients()), run: run.path)
    }
    try run.writeSample(text, step: state.step)
    try onSample(state.step, text)
  }

  // MARK: Saving

  /// Weights that are not finite are never saved: they would push out the checkpoints that are good.
  private func save() throws {
    if model.parameters().contains(where: { !$0.value.sumOfSquares().isFinite }) {
      throw PretrainingError.diverged(
        step: state.step, reason: "the weights are not finite" + badTensor(Gradients()), run: run.path)
    }
    state.optimizerStep = optimizer.step
    try store.save(step: state.step, metric: validation?.loss) { folder in
      try ModelFolder.save(model, tokenizer: tokenizer, to: folder)
      try SafetensorsFile.write(optimizer.state, to: "\(folder)/optimizer.safetensors")
      if let average { try SafetensorsFile.write(average.tensors, to: "\(folder)/ema.safetensors") }
      try AtomicFile.write(encoded(state).serialized(.indented) + "\n", to: "\(folder)/state.json")
    }
  }
}

/// Bytes of memory this machine has.
private let physicalMemory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))

/// Tokens a second over the last steps.
private struct Rate {
  private var recent: [(tokens: Int, seconds: Double)] = []

  mutating func add(_ tokens: Int, _ seconds: Double) {
    recent.append((tokens, seconds))
    if recent.count > 20 { recent.removeFirst() }
  }

  var perSecond: Double {
    Double(recent.reduce(0) { $0 + $1.tokens }) / max(recent.reduce(0) { $0 + $1.seconds }, 1e-9)
  }
}

import NablaFormats
import NablaNN
import NablaTensor
import NablaTraining

/// Trains a generative model: adds noise to data, and learns to separate them by regression.
///
/// ```swift
/// let trainer = try DiffusionTrainer(data: "moons", .points)
/// let outcome = try TrainingRun(trainer, at: "runs/moons").train { event in … }
/// ```
public final class DiffusionTrainer: Trainer {
  public static let command = "diffusion"

  /// The contents of `config.json`.
  public struct Setup: Codable, Sendable {
    public var configuration: DiffusionConfiguration
    var data: DiffusionData.Description
    public var form: DataForm
    /// The network's parameter count.
    public var parameterCount: Int
    /// The path of the data, or the name of a 2-D set.
    public var source: String { data.source }

    /// The same, where files may have been moved together with the run at `path`.
    func source(of path: String) -> String {
      data.count == nil ? source : RunFolder.located(source, of: path) ?? source
    }
  }

  /// Everything except weights and moments that the next step depends on.
  private struct State: Codable {
    var step = 0
    var optimizerStep = 0
    var averageUpdates = 0
    var random: RandomSource
  }

  public let setup: Setup
  public let model: DiffusionModel
  /// A description of the data, in words.
  public var dataSummary: String { data.summary }
  public var progress: RunProgress { RunProgress(done: state.step, of: setup.configuration.steps) }
  public var cadence: RunCadence {
    let c = setup.configuration
    return RunCadence(
      evaluateEvery: c.evaluateEvery, sampleEvery: c.sampleEvery, checkpointEvery: c.checkpointEvery)
  }

  let data: DiffusionData
  private let schedule: Schedule
  private var optimization: OptimizationStep
  private var state: State
  /// The warmup of the weight average: its decay grows as 1 - n^(-¾). An average of fixed decay would
  /// include the random initial weights for thousands of steps.
  static let averageWarmup = 0.75

  /// A new run.
  ///
  /// - Parameters:
  ///   - source: The name of a 2-D set, a CSV file, an IDX file or a folder of PNG images.
  ///   - configuration: Checked before the data are read.
  /// - Throws: `ConfigurationError`, ``DiffusionError``, ``DataError`` and what reading the data throws.
  public convenience init(data source: String, _ configuration: DiffusionConfiguration) throws {
    try configuration.validate()
    try self.init(DiffusionData(source, configuration), configuration)
  }

  /// A resumed run.
  ///
  /// - Parameters:
  ///   - path: The run's folder.
  ///   - source: The path of the data, if it has moved.
  ///   - observe: Receives events before training begins.
  public static func resume(
    _ path: String, data source: String? = nil, observe: TrainingRun<DiffusionTrainer>.Observer = { _ in }
  ) throws -> TrainingRun<DiffusionTrainer> {
    try TrainingRun(resuming: path, observe: observe) { setup, _ in
      let source = source ?? setup.source(of: path)
      let data = try DiffusionData(source, setup.configuration)
      guard data.description.hash == setup.data.hash, data.form == setup.form else {
        throw DataError(
          file: source,
          problem:
            "not the data that \(path) was trained on: resume with that data, or start a new run in another folder")
      }
      return try DiffusionTrainer(data, setup.configuration)
    }
  }

  private init(_ data: DiffusionData, _ c: DiffusionConfiguration) throws {
    var random = RandomSource(seed: c.seed)
    model = try DiffusionModel(c, data.form, random: &random)
    self.data = data
    setup = Setup(
      configuration: c, data: data.description, form: data.form, parameterCount: model.network.parameterCount)
    state = State(random: random)
    schedule = cosine(peak: c.learningRate, warmup: c.warmup, total: c.steps, final: c.finalLearningRate)
    optimization = OptimizationStep(
      AdamW(learningRate: schedule, weightDecay: c.weightDecay), clip: c.clip,
      average: c.ema > 0
        ? MovingAverage(of: model.network, decay: c.ema, warmupPower: Self.averageWarmup) : nil)
  }

  // MARK: The step

  public func step() throws -> StepReport {
    let c = setup.configuration
    let (start, learningRate) = (monotonicSeconds(), schedule(optimization.optimizer.step))
    let batch = data.batch(c.batchSize, random: &state.random)
    let conditions = model.network.dropping(
      batch.conditions, probability: c.conditionDropout, random: &state.random)
    let example = model.objective.example(batch.data, random: &state.random)
    let outcome = try optimization.take(
      on: model.network,
      [
        MicroBatch(weight: Double(c.batchSize)) { network in
          denoisingLoss(
            network(example.input, example.times, conditions), target: example.target, weights: example.weights)
        }
      ])
    state.step += 1
    let perSecond = Double(c.batchSize) / (monotonicSeconds() - start)
    return StepReport(
      [
        Metric("loss", outcome.loss), Metric("learning_rate", Double(learningRate)),
        Metric("gradient_norm", outcome.gradientNorm), Metric("examples_per_second", perSecond),
      ],
      figures: [Figure("loss", outcome.loss), Figure("ex/s", perSecond, isRate: true)])
  }

  // MARK: Evaluation

  /// The number of bands of noise levels for which the validation loss is reported.
  static let noiseBands = 5

  public func evaluate(isFinal: Bool) throws -> [Metric] {
    guard let held = data.validation(2000) else { return [] }
    // The same noise at every evaluation, so that losses differ only by the model.
    var random = RandomSource(seed: 0x10)
    let example = model.objective.example(held.data, random: &random)
    let losses = optimization.averaged(model.network) { lossOfEachRow(example, held.conditions) }
    let times = example.times.array(of: Double.self)
    // Noise grows with time, except for the flow, whose data are at time 1.
    let order = losses.indices.sorted { times[$0] < times[$1] }
    let byNoise = setup.configuration.objective == .flow ? order.reversed() : order
    func mean(_ rows: ArraySlice<Int>) -> Double { rows.reduce(0) { $0 + losses[$1] } / Double(max(rows.count, 1)) }
    var metrics = [Metric("validation_loss", mean(byNoise[...]))]
    for band in 0..<Self.noiseBands where losses.count >= Self.noiseBands {
      let rows = byNoise[band * losses.count / Self.noiseBands..<(band + 1) * losses.count / Self.noiseBands]
      metrics.append(Metric("validation_loss_noise_\(band + 1)", mean(rows)))
    }
    return metrics
  }

  /// In batches of the training size.
  private func lossOfEachRow(_ example: DenoisingExample, _ conditions: Conditions) -> [Double] {
    let (count, size) = (example.input.shape[0], setup.configuration.batchSize)
    return stride(from: 0, to: count, by: size).flatMap { start in
      let rows = start..<min(start + size, count)
      let prediction = model.network(example.input[rows], example.times[rows], conditions[rows])
      let errors = (prediction - example.target[rows]).square().reshaped([rows.count, -1]).mean(axis: 1)
      return (errors * example.weights[rows]).array(of: Double.self)
    }
  }

  public func sample() throws -> RunSample? {
    let count = setup.configuration.sampleCount
    guard count > 0 else { return nil }
    let (conditions, names) = data.conditions(count)
    let samples = try optimization.averaged(model.network) {
      do {
        return try model.sample(count, conditions: conditions, seed: setup.configuration.seed)
      } catch DiffusionError.samplesNotFinite where model.network.firstNonFinite != nil {
        throw weightsNotFinite()
      }
    }
    var random = RandomSource(seed: 0x5C)
    if setup.form.isImages {
      let picture = sampleGrid(samples)
      return RunSample(
        kind: "png", contents: PNG.data(picture),
        text: "\(count) images"
          + (names.isEmpty ? "" : ": \(Array(Set(names)).sorted().prefix(8).joined(separator: ", "))"))
    }
    let examples = data.examples(count, random: &random)
    let again = data.examples(count, random: &random)
    let (distance, floor) = (
      setup.form.distance(samples, examples, random: &random), setup.form.distance(again, examples, random: &random)
    )
    return RunSample(
      kind: "png", contents: PNG.data(scatterPicture(samples, beside: examples)),
      text: "sliced Wasserstein distance \(significant(distance, digits: 3)) to \(count) points of the data; "
        + "two sets of data are at \(significant(floor, digits: 3))")
  }

  private func weightsNotFinite() -> Diverged {
    let name = model.network.firstNonFinite.map { "; the first non-finite parameter is \($0)" }
    return Diverged(reason: "the weights are non-finite\(name ?? "")")
  }

  // MARK: Saving

  public func save(to folder: String) throws {
    if model.network.firstNonFinite != nil { throw weightsNotFinite() }
    state.optimizerStep = optimization.optimizer.step
    state.averageUpdates = optimization.average?.updates ?? 0
    try SafetensorsFile.write(weights, to: "\(folder)/model.safetensors")
    try SafetensorsFile.write(optimization.optimizer.state, to: "\(folder)/optimizer.safetensors")
    if let average = optimization.average {
      try SafetensorsFile.write(average.tensors, to: "\(folder)/ema.safetensors")
    }
    try writeJSON(state, to: "\(folder)/state.json")
  }

  private var weights: [String: Tensor] {
    Dictionary(uniqueKeysWithValues: model.network.parameters().map { ($0.name, $0.value) })
  }

  public func restore(from checkpoint: Checkpoint) throws {
    state = try readJSON(checkpoint.file("state.json"), as: State.self)
    try model.network.load(SafetensorsFile(path: checkpoint.file("model.safetensors")).tensors())
    try optimization.optimizer.restore(
      SafetensorsFile(path: checkpoint.file("optimizer.safetensors")).tensors(), step: state.optimizerStep,
      for: model.network)
    if setup.configuration.ema > 0 {
      optimization.average = MovingAverage(
        try SafetensorsFile(path: checkpoint.file("ema.safetensors")).tensors(), decay: setup.configuration.ema,
        warmupPower: Self.averageWarmup, updates: state.averageUpdates)
    }
  }

  /// At the end, a model folder, and for a UNet on the discrete process a folder that diffusers loads.
  public func finish(in run: RunFolder) throws {
    guard progress.isFinished else { return }
    let c = setup.configuration
    try optimization.averaged(model.network) {
      try AtomicFolder.write(to: "\(run.path)/model") { try model.save(to: $0) }
      if setup.configuration.sampleCount > 0 {
        try writeJSON(makePictures(), to: "\(run.path)/\(DiffusionPictures.file)")
      }
      guard let unet = model.network.unet, unet.configuration.contextSize == nil, c.objective == .ddpm else { return }
      let scheduler = SchedulerConfiguration(
        try c.discreteProcess(), prediction: c.prediction.prediction, threshold: .clip())
      try DiffusersPipeline(unet: unet, scheduler: scheduler).write(to: "\(run.path)/diffusers", ddim: true)
    }
  }
}

extension Conditions {
  /// Those of some of the rows.
  subscript(rows: Range<Int>) -> Conditions {
    switch self {
    case .none: .none
    case .classes(let labels): .classes(Array(labels[rows]))
    case .captions(let texts): .captions(Array(texts[rows]))
    }
  }
}

import NablaFormats
import NablaNN
import NablaTensor
import NablaTraining

/// What a trainer of this module has besides its objective: the optimizer with its schedule, and
/// their state for checkpoints.
public struct TuningLoop {
  /// Everything except weights and moments that the next step depends on.
  private struct State: Codable {
    var step = 0
    var optimizerStep = 0
    /// Tokens trained on.
    var tokens = 0
    var random: RandomSource
    /// Nil if every step with finite numbers is taken.
    var spikeGuard: SpikeGuard?
  }

  public let totalSteps: Int
  /// Of the data, if steps go through it in epochs.
  private let stepsPerEpoch: Double
  private let schedule: Schedule
  private var optimization: OptimizationStep
  private var state: State

  /// - Parameters:
  ///   - c: steps or epochs, the schedule, and the settings of AdamW.
  ///   - microBatchesPerEpoch: determines the number of steps of the epochs, if no number of steps is given.
  ///   - random: the run's, after the model was made.
  ///   - guardsSpikes: whether steps with a loss spike are skipped; the loss of a policy gradient is not meaningful.
  public init(
    _ c: TuningConfiguration, microBatchesPerEpoch: Int, random: RandomSource, guardsSpikes: Bool = true
  ) {
    let microBatches = microBatchesPerEpoch * c.epochs
    totalSteps = c.steps ?? (microBatches + c.gradientAccumulation - 1) / c.gradientAccumulation
    stepsPerEpoch = Double(microBatchesPerEpoch) / Double(c.gradientAccumulation)
    schedule = c.rates(total: totalSteps)
    let adam = AdamW(learningRate: schedule, beta1: c.beta1, beta2: c.beta2, weightDecay: c.weightDecay)
    optimization = OptimizationStep(adam, clip: c.clip, clipEpsilon: 1e-6)
    state = State(random: random, spikeGuard: guardsSpikes ? SpikeGuard() : nil)
  }

  /// Steps taken, skipped ones included.
  public var step: Int { state.step }
  /// Passes over the data.
  public var epoch: Double { Double(state.step) / stepsPerEpoch }
  public var progress: RunProgress { RunProgress(done: state.step, of: totalSteps) }
  /// The random source of the steps; part of the state.
  public var random: RandomSource {
    get { state.random }
    set { state.random = newValue }
  }

  /// Takes a step on the mean of the micro-batches, each by its weight.
  ///
  /// - Parameters:
  ///   - model: has the parameters that the gradients are taken of.
  ///   - microBatches: their losses and weights.
  ///   - tokens: the number of tokens in the micro-batches.
  /// - Returns: `loss`, `learning_rate`, `gradient_norm`, `skipped`, `num_tokens`, `tokens_per_second`.
  public mutating func take<Model: Module>(
    on model: Model, _ microBatches: [MicroBatch<Model>], tokens: Int
  ) throws -> (metrics: [Metric], outcome: OptimizationStep.Outcome) {
    let (start, rate) = (monotonicSeconds(), schedule(optimization.optimizer.step))
    optimization.spikeGuard = state.spikeGuard
    let outcome = try optimization.take(on: model, microBatches)
    state.spikeGuard = optimization.spikeGuard
    state.step += 1
    state.tokens += tokens
    let metrics = [
      Metric("loss", outcome.loss), Metric("learning_rate", Double(rate)),
      Metric("gradient_norm", outcome.gradientNorm), Metric("skipped", outcome.skipped == nil ? 0 : 1),
      Metric("num_tokens", Double(state.tokens)),
      Metric("tokens_per_second", Double(tokens) / (monotonicSeconds() - start)),
    ]
    return (metrics, outcome)
  }

  public mutating func save(to folder: String) throws {
    state.optimizerStep = optimization.optimizer.step
    try SafetensorsFile.write(optimization.optimizer.state, to: "\(folder)/optimizer.safetensors")
    try writeJSON(state, to: "\(folder)/state.json")
  }

  /// Restores what ``save(to:)`` wrote.
  public mutating func restore(from checkpoint: Checkpoint, for model: Module) throws {
    state = try readJSON(checkpoint.file("state.json"), as: State.self)
    try optimization.optimizer.restore(
      SafetensorsFile(path: checkpoint.file("optimizer.safetensors")).tensors(), step: state.optimizerStep, for: model)
  }
}

import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaTraining

extension GRPO {
  /// The results of a rollout, for all steps on it.
  package struct Batch: Codable {
    var rollouts: [Rollout]
    /// By function: [function][rollout].
    var rewards: [[Double]]
    /// ln π_old and ln π_ref of each token; nil if the step computes it itself, or it is not needed.
    var old: [Float]?
    var reference: [Float]?
  }

  /// What the next step depends on besides the weights and the state of the loop.
  package struct State: Codable {
    /// Prompts sampled so far.
    var cursor = 0
    /// Steps taken on the current batch.
    package var iteration = 0
    /// Nil if the next step samples one.
    package var batch: Batch?
  }

  public var progress: RunProgress { loop.progress }
  public var cadence: RunCadence {
    let c = setup.training.tuning
    return RunCadence(
      evaluateEvery: c.evaluateEvery, sampleEvery: c.sampleEvery, checkpointEvery: c.checkpointEvery)
  }

  func report(
    _ metrics: [Metric], _ outcome: OptimizationStep.Outcome, _ batch: Batch, _ tally: RolloutTally, seconds: Double
  ) -> StepReport {
    let c = setup.training
    let statistics = RolloutStatistics(
      batch.rollouts, rewards: batch.rewards, names: judge.names, groupSize: c.groupSize)
    let rate = Double(batch.rollouts.count) / seconds
    return StepReport(
      metrics + [Metric("samples_per_second", rate)] + statistics.metrics + tally.metrics(c),
      figures: [
        Figure("reward", statistics.meanReward), Figure("samples/s", rate, isRate: true),
        Figure("length", statistics.meanLength),
      ] + (tally.meanKL.map { [Figure("KL", $0)] } ?? []),
      skipped: outcome.skipped)
  }

  // MARK: Evaluation

  /// Greedy completions of held-out prompts, and their rewards.
  public func evaluate(isFinal: Bool) throws -> [Metric] {
    let count = min(heldOut.count, setup.training.tuning.evaluationRows)
    if count == 0 { return [] }
    var greedy = sampler
    greedy.temperature = 0
    var random = RandomSource(seed: setup.training.tuning.seed)
    var rollouts = try greedy.sample(
      (0..<count).map { ($0, heldOut[$0].tokens) }, count: 1, from: tuned.model, random: &random)
    let byFunction = try judge.judge(
      &rollouts, of: heldOut, beside: tuned, batchSize: setup.training.tuning.batchSize)
    return RolloutStatistics(rollouts, rewards: byFunction, names: judge.names, groupSize: 1).metrics
      .map { Metric("eval_\($0.name)", $0.value) }
  }

  /// Completions of a few fixed prompts, sampled from the same random streams each time.
  public func sample() throws -> RunSample? {
    let source = heldOut.count > 0 ? heldOut : prompts
    var random = RandomSource(seed: setup.training.tuning.seed)
    var rollouts = try sampler.sample(
      (0..<min(3, source.count)).map { ($0, source[$0].tokens) }, count: 2, from: tuned.model, random: &random)
    _ = try judge.judge(&rollouts, of: source, beside: tuned, batchSize: setup.training.tuning.batchSize)
    return rolloutSample(rollouts, source)
  }

  // MARK: Saving

  public func save(to folder: String) throws {
    try tuned.save(to: folder)
    try loop.save(to: folder)
    try writeJSON(state, to: "\(folder)/rollouts.json")
  }

  public func restore(from checkpoint: Checkpoint) throws {
    try tuned.restore(from: checkpoint.path)
    try loop.restore(from: checkpoint, for: tuned.model)
    state = try readJSON(checkpoint.file("rollouts.json"), as: State.self)
  }

  public func finish(in run: RunFolder) throws {
    if progress.isFinished { try tuned.finish(in: run) }
  }
}

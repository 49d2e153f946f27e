import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaTraining

extension RLHF {
  /// What the next step depends on beside the weights and the state of the loop. Nothing of a rollout outlives its step.
  package struct State: Codable {
    /// Prompts sampled so far.
    var cursor = 0
    /// Nil where β is fixed.
    package var coefficient: AdaptiveKLCoefficient?
  }

  /// In rollouts.
  public var progress: RunProgress {
    let updates = setup.training.updates
    return RunProgress(done: loop.step / updates, of: loop.totalSteps / updates)
  }
  public var cadence: RunCadence {
    let c = setup.training.tuning
    return RunCadence(
      evaluateEvery: c.evaluateEvery, sampleEvery: c.sampleEvery, checkpointEvery: c.checkpointEvery)
  }

  func report(_ batch: Batch, _ tally: RLHFTally, _ taken: [[Metric]], seconds: Double) -> StepReport {
    let (c, n) = (setup.training, Double(batch.rollouts.count))
    let statistics = RolloutStatistics(
      batch.rollouts, rewards: batch.byFunction, names: judge.names, groupSize: 1)
    /// The mean of a number over the optimizer steps.
    func mean(_ name: String) -> Double {
      taken.reduce(0) { $0 + ($1.first { $0.name == name }?.value ?? 0) } / Double(taken.count)
    }
    func last(_ name: String) -> Double { taken.last?.first { $0.name == name }?.value ?? 0 }
    let scores = batch.rollouts.map(\.reward).reduce(0, +) / n
    let penalty = -batch.coefficient * batch.meanDivergence
    let differences = zip(batch.old, batch.sampled).map { abs(Double($0) - Double($1)) }
    let meanDifference = differences.reduce(0, +) / Double(differences.count)
    let endCount = batch.rollouts.filter { !$0.isTruncated }.count
    var metrics = [
      Metric("loss", mean("loss")), Metric("learning_rate", last("learning_rate")),
      Metric("gradient_norm", mean("gradient_norm")), Metric("num_tokens", last("num_tokens")),
      Metric("eps", n / seconds), Metric("episode", Double(progress.done * c.prompts)),
    ]
    metrics += [
      Metric("objective/kl", batch.meanDivergence), Metric("objective/entropy", -sum(batch.old) / n),
      Metric("objective/non_score_reward", penalty), Metric("objective/rlhf_reward", scores + penalty),
      Metric("objective/scores", scores), Metric("kl_coefficient", batch.coefficient),
    ]
    metrics += tally.metrics(c)
    metrics += [
      Metric("val/num_eos_tokens", Double(endCount)), Metric("val/explained_variance", batch.explainedVariance),
      Metric("sampling/sampling_logp_difference/mean", meanDifference),
      Metric("sampling/sampling_logp_difference/max", differences.max() ?? 0),
    ]
    metrics += statistics.metrics
    return StepReport(
      metrics,
      figures: [
        Figure("score", scores), Figure("KL", batch.meanDivergence), Figure("length", statistics.meanLength),
        Figure("samples/s", n / seconds, isRate: true),
      ])
  }

  // MARK: Looking at the model

  /// The likeliest completions of held-out prompts, and their rewards.
  public func evaluate(isFinal: Bool) throws -> [Metric] {
    let count = min(heldOut.count, setup.training.tuning.evaluationRows)
    if count == 0 { return [] }
    var greedy = sampler
    greedy.temperature = 0
    var random = RandomSource(seed: setup.training.tuning.seed)
    var rollouts = try greedy.sample(
      (0..<count).map { ($0, heldOut[$0].tokens) }, count: 1, from: tuned.model, random: &random)
    let byFunction = try judge(&rollouts, of: heldOut)
    return RolloutStatistics(rollouts, rewards: byFunction, names: judge.names, groupSize: 1).metrics
      .map { Metric("eval_\($0.name)", $0.value) }
  }

  /// Completions of a few prompts, always the same, drawn from the same streams.
  public func sample() throws -> RunSample? {
    let source = heldOut.count > 0 ? heldOut : prompts
    var random = RandomSource(seed: setup.training.tuning.seed)
    var rollouts = try sampler.sample(
      (0..<min(3, source.count)).map { ($0, source[$0].tokens) }, count: 2, from: tuned.model, random: &random)
    _ = try judge(&rollouts, of: source)
    return rolloutSample(rollouts, source)
  }

  // MARK: Saving

  public func save(to folder: String) throws {
    try tuned.save(to: folder)
    try value.save(to: "\(folder)/\(Scorer.valueName)")
    try loop.save(to: folder)
    try writeJSON(state, to: "\(folder)/rollouts.json")
  }

  public func restore(from checkpoint: Checkpoint) throws {
    try tuned.restore(from: checkpoint.path)
    try value.restore(from: checkpoint.file(Scorer.valueName))
    try loop.restore(from: checkpoint, for: networks)
    state = try readJSON(checkpoint.file("rollouts.json"), as: State.self)
  }

  public func finish(in run: RunFolder) throws {
    if progress.isFinished { try tuned.finish(in: run) }
  }
}

extension RLHF.Batch {
  /// 1 - Var(R - V)/Var(R): how much of the returns the value function foresaw.
  var explainedVariance: Double {
    func variance(_ x: [Double]) -> Double {
      let mean = x.reduce(0, +) / Double(max(x.count, 1))
      return x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(x.count, 1))
    }
    let total = variance(returns.map(Double.init))
    return total == 0 ? 0 : 1 - variance(zip(returns, values).map { Double($0) - Double($1) }) / total
  }
}

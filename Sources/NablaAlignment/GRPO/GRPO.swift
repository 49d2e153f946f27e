import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

/// Group relative policy optimization (Shao et al. 2024): of G completions of a prompt, those with higher rewards
/// than the rest of their group become more likely. No value network.
///
/// Documentation/grpo.md explains each line here.
public final class GRPO: Trainer {
  public static let command = "grpo"
  /// Only sampling and judging can fail, and they change nothing before they succeed.
  public static let keepsStateOnError = true

  // MARK: The objective

  /// The inputs of the objective for completion tokens: [n] each, tokens of all completions concatenated.
  package struct Terms {
    /// ln π_old, with logits divided by the temperature as in the policy's.
    package var old: Tensor
    /// ln π_ref, likewise; nil where β is 0.
    package var reference: Tensor?
    /// Â of the token's completion.
    package var advantages: Tensor
    /// w = min(π_old/π_sampler, C): 1 if the sampler computes exactly as training does. Nil for no correction.
    package var importance: Tensor?
    /// Of each completion.
    package var lengths: [Int]

    package init(
      old: Tensor, reference: Tensor? = nil, advantages: Tensor, importance: Tensor? = nil, lengths: [Int]
    ) {
      (self.old, self.reference, self.advantages) = (old, reference, advantages)
      (self.importance, self.lengths) = (importance, lengths)
    }
  }

  /// A token's loss, to be multiplied by its weight (``weights(_:_:)``):
  ///
  ///     ℓ = -w·min(r·Â, clip(r, 1 - ε_low, 1 + ε_high)·Â) + β·(π_ref/π - 1 - ln π_ref/π),   r = π/π_old
  ///
  /// (Shao et al. 2024, equations 3 and 4; Yu et al. 2025 for the two ε; Zheng et al. 2025 for r of whole sequences.)
  package static func tokenLosses(_ logProbabilities: Tensor, _ terms: Terms, _ c: Configuration) -> Tensor {
    let ratio = c.importanceSampling.logRatios(logProbabilities, old: terms.old, lengths: terms.lengths).exp()
    var surrogate = clippedSurrogate(
      ratio: ratio, advantages: terms.advantages, clipLow: c.clipLow, clipHigh: c.clipHigh)
    if let importance = terms.importance { surrogate = surrogate * importance }
    guard c.beta > 0, let reference = terms.reference else { return -surrogate }
    return Tensor(c.beta) * KLEstimator.k3(logProbabilities, reference: reference) - surrogate
  }

  /// Each token's weight in the loss: [n] for the whole batch. Tokens of a masked completion have weight 0, and
  /// are excluded from the denominator.
  package static func weights(_ rollouts: [Rollout], _ c: Configuration) -> Tensor {
    let counted = rollouts.flatMap { rollout in
      [Float](repeating: c.masksTruncated && rollout.isTruncated ? 0 : 1, count: rollout.tokens.count)
    }
    return c.variant.weights(rollouts.map(\.tokens.count), counted: counted, maximumLength: c.maximumTokens)
  }

  // MARK: The trainer

  public let setup: Setup
  public let tuned: TunedModel
  /// Training rows and held-out rows.
  public let prompts, heldOut: PromptSet
  let judge: RolloutJudge
  let sampler: RolloutSampler
  var loop: TuningLoop
  package internal(set) var state = State()

  init(_ setup: Setup, _ rewards: WeightedRewards? = nil) throws {
    let c = setup.training
    try c.validate()
    var (setup, random) = (setup, RandomSource(seed: c.tuning.seed))
    tuned = try TunedModel(setup.source, c.tuning, keepsReference: c.beta > 0, random: &random)
    judge = try RolloutJudge(setup.judge, rewards, beside: tuned)
    (prompts, heldOut) = try PromptSet.read(&setup.data, c.tuning, maximumTokens: c.maximumTokens, for: tuned, judge)
    setup.judge = try setup.judge.hashed()
    for set in [prompts, heldOut] { try set.check(for: judge.rewards) }
    self.setup = setup
    sampler = RolloutSampler(
      tokenizer: tuned.tokenizer, endTokens: tuned.trained.endTokens, maximumTokens: c.maximumTokens,
      temperature: c.temperature)
    let rollouts = (prompts.count + c.prompts - 1) / c.prompts
    loop = TuningLoop(c.tuning, microBatchesPerEpoch: rollouts * c.iterations, random: random, guardsSpikes: false)
  }

  public func step() throws -> StepReport {
    let (c, start) = (setup.training, monotonicSeconds())
    // Act: G completions of each prompt, and their rewards.
    if state.batch == nil { state.batch = try collect() }
    let batch = state.batch!
    let (advantages, _) = groupAdvantages(
      batch.rollouts.map(\.reward), groupSize: c.groupSize, scaling: c.rewardScaling)

    // Learn: micro-batches add up to the sum over the whole batch, whatever their size.
    let weights = Self.weights(batch.rollouts, c)
    let parts = parts(of: batch.rollouts)
    var tally = RolloutTally()
    let microBatches = parts.map { part in
      MicroBatch<TransformerLM>(weight: 1) { [temperature = c.temperature] model in
        let rollouts = batch.rollouts[part.rollouts]
        let tokens = RolloutBatch(rollouts, for: model.configuration)
        let (logProbabilities, entropies) = tokens.logProbabilities(model, temperature: temperature)
        // One step on each rollout: the old policy is the current one.
        let old = batch.old.map { Tensor(Array($0[part.tokens])) } ?? logProbabilities.stopGradient()
        let sampled = Tensor(rollouts.flatMap(\.samplerLogProbabilities))
        let terms = Terms(
          old: old, reference: batch.reference.map { Tensor(Array($0[part.tokens])) },
          advantages: Tensor(Array(advantages[part.rollouts])).repeated(tokens.lengths),
          importance: c.importanceLimit > 0
            ? truncatedImportanceWeights(old: old, sampler: sampled, limit: c.importanceLimit) : nil,
          lengths: tokens.lengths)
        tally.add(logProbabilities, entropies, terms, sampled: sampled, c)
        let sum = (Self.tokenLosses(logProbabilities, terms, c) * weights[part.tokens]).sum()
        // The step takes the mean over micro-batches.
        return sum * Tensor(Float(parts.count))
      }
    }
    let (metrics, outcome) = try loop.take(
      on: tuned.model, microBatches, tokens: batch.rollouts.reduce(0) { $0 + $1.promptTokens.count + $1.tokens.count })
    state.iteration += 1
    if state.iteration == c.iterations { (state.batch, state.iteration) = (nil, 0) }
    return report(metrics, outcome, batch, tally, seconds: monotonicSeconds() - start)
  }

  /// Samples completions of the next prompts with the current weights, and computes their log-probabilities under the
  /// old policy, which is the current one, and the reference.
  private func collect() throws -> Batch {
    let c = setup.training
    let order = ShuffledOrder(count: prompts.count, seed: setup.training.tuning.seed)
    let numbers = (0..<c.prompts).map { order[state.cursor + $0] }
    var random = loop.random
    var rollouts = try sampler.sample(
      numbers.map { ($0, prompts[$0].tokens) }, count: c.groupSize, from: tuned.model, random: &random)
    let byFunction = try judge.judge(&rollouts, of: prompts, beside: tuned, batchSize: c.tuning.batchSize)
    // Nothing fails from here on: until now the step can be repeated.
    state.cursor += c.prompts
    loop.random = random
    var batch = Batch(rollouts: rollouts, rewards: byFunction)
    // In the micro-batches of training, and like all passes here without dropout: the first ratio is exactly 1.
    func logProbabilities(_ model: TransformerLM) -> [Float] {
      withoutGradient {
        parts(of: rollouts).flatMap {
          RolloutBatch(rollouts[$0.rollouts], for: model.configuration).logProbabilities(
            model, temperature: c.temperature
          )
          .logProbabilities.array()
        }
      }
    }
    if c.iterations > 1 { batch.old = logProbabilities(tuned.model) }
    if c.beta > 0 { batch.reference = tuned.reference(logProbabilities) }
    return batch
  }

  private func parts(of rollouts: [Rollout]) -> [RolloutPart] {
    RolloutPart.split(rollouts, size: setup.training.tuning.batchSize)
  }
}

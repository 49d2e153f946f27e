import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

/// Reinforcement learning from human feedback with PPO (Ziegler et al. 2019; Ouyang et al. 2022): a policy learns to
/// write what a reward model likes, and is held near its reference by a penalty on each token.
///
/// Four models with one base in memory: the policy, its reference (the adapter off), the value function and, where it was
/// trained beside the same base, the reward model each have an adapter or none. Documentation/rlhf.md explains each line
/// here.
public final class RLHF: Trainer {
  public static let command = "rlhf"
  /// Only sampling and judging can fail, and they change nothing before they succeed.
  public static let keepsStateOnError = true

  // MARK: The objective

  /// What tokens of completions are compared with: [n] each, tokens of all completions one after the other.
  package struct Terms {
    /// ln π_old, with logits divided by the temperature as in the policy's.
    package var old: Tensor
    /// Â, whitened over the rollout.
    package var advantages: Tensor
    /// V_old, and R = Â + V_old before whitening.
    package var oldValues, returns: Tensor
    /// w = min(π_old/π_sampler, C); nil leaves it out.
    package var importance: Tensor?

    package init(old: Tensor, advantages: Tensor, oldValues: Tensor, returns: Tensor, importance: Tensor? = nil) {
      (self.old, self.advantages, self.oldValues, self.returns) = (old, advantages, oldValues, returns)
      self.importance = importance
    }
  }

  /// The reward of each token: [n].
  ///
  ///     r_t = -β·KL_t   and for a completion's last token   + score
  ///
  /// - Parameters:
  ///   - divergences: KL_t, an estimate from the token: ln π/π_ref for k1.
  ///   - scores: of each completion, lengths.count of them.
  package static func tokenRewards(
    divergences: [Float], scores: [Double], lengths: [Int], coefficient: Double
  ) -> [Float] {
    var rewards = divergences.map { Float(-coefficient * Double($0)) }
    var end = 0
    for (score, length) in zip(scores, lengths) {
      end += length
      rewards[end - 1] += Float(score)
    }
    return rewards
  }

  /// Advantages and returns of each token: generalized advantage estimation along each completion, after which nothing
  /// follows.
  ///
  ///     δ_t = r_t + γ·V_{t+1} - V_t,   Â_t = δ_t + γλ·Â_{t+1},   R_t = Â_t + V_t
  package static func advantages(
    rewards: [Float], values: [Float], lengths: [Int], _ c: Configuration
  ) -> (advantages: [Float], returns: [Float]) {
    var last = [Bool](repeating: false, count: rewards.count)
    var end = 0
    for length in lengths {
      end += length
      last[end - 1] = true
    }
    let rollout = RolloutRewards(
      rewards: rewards, values: values, terminated: last, truncated: last.map { _ in false }, finalValues: values,
      lastValues: [0])
    let advantages = generalizedAdvantages(rollout, discount: c.discount, lambda: c.lambda)
    return (advantages, zip(advantages, values).map { $0 + $1 })
  }

  /// What a token adds to the policy's loss: -w·min(r·Â, clip(r, 1 - ε, 1 + ε)·Â) with r = π/π_old.
  package static func policyLosses(_ logProbabilities: Tensor, _ terms: Terms, _ c: Configuration) -> Tensor {
    let surrogate = clippedSurrogate(
      ratio: probabilityRatio(logProbabilities, old: terms.old), advantages: terms.advantages, clipLow: c.clipRange,
      clipHigh: c.clipRange)
    return -(terms.importance.map { surrogate * $0 } ?? surrogate)
  }

  /// What a token adds to the value function's loss: ½·max((V - R)², (clip(V, V_old ± ε_V) - R)²).
  package static func valueLosses(_ values: Tensor, _ terms: Terms, _ c: Configuration) -> Tensor {
    0.5 * valueLoss(values: values, returns: terms.returns, oldValues: terms.oldValues, clipRange: c.valueClipRange)
  }

  // MARK: The trainer

  /// What the optimizer steps.
  package final class Networks: Module {
    @Named("policy") package var policy: TransformerLM
    @Named("value") package var value: ScoreModel

    init(_ policy: TransformerLM, _ value: ScoreModel) {
      super.init()
      (self.policy, self.value) = (policy, value)
    }
  }

  public let setup: Setup
  public let tuned: TunedModel
  /// Rows that the model learns from, and rows kept for evaluation.
  public let prompts, heldOut: PromptSet
  let judge: RolloutJudge
  package let value: Scorer
  package let networks: Networks
  let sampler: RolloutSampler
  var loop: TuningLoop
  package internal(set) var state: State

  init(_ setup: Setup, _ rewards: WeightedRewards? = nil) throws {
    let c = setup.training
    try c.validate()
    var (setup, random) = (setup, RandomSource(seed: c.tuning.seed))
    tuned = try TunedModel(setup.source, c.tuning, keepsReference: true, random: &random)
    judge = try RolloutJudge(setup.judge, rewards, beside: tuned)
    (prompts, heldOut) = try PromptSet.read(&setup.data, c.tuning, maximumTokens: c.maximumTokens, for: tuned, judge)
    setup.judge = try setup.judge.hashed()
    for set in [prompts, heldOut] { try set.check(for: judge.rewards) }
    value = try Scorer(valueBeside: tuned, judge.model, c.tuning, random: &random)
    networks = Networks(tuned.model, value.model)
    self.setup = setup
    sampler = RolloutSampler(
      tokenizer: tuned.tokenizer, endTokens: tuned.trained.endTokens, maximumTokens: c.maximumTokens,
      temperature: c.temperature)
    loop = TuningLoop(
      c.loopConfiguration, microBatchesPerEpoch: (prompts.count + c.prompts - 1) / c.prompts * c.updates,
      random: random, guardsSpikes: false)
    state = State(
      coefficient: c.klTarget.map { AdaptiveKLCoefficient(initial: c.klCoefficient, target: $0, horizon: c.klHorizon) })
  }

  /// A rollout and all optimizer steps on it.
  public func step() throws -> StepReport {
    let (c, start) = (setup.training, monotonicSeconds())
    let batch = try collect()
    let tally = RLHFTally()
    var taken: [[Metric]] = []
    for epoch in 0..<c.ppoEpochs {
      for parts in miniBatches(of: batch, epoch: epoch) {
        // The mean over a mini-batch is over tokens. Policy and value go through the model in passes of their own, each
        // with its adapter in use until its gradient is made; the sum of both losses is twice the mean over passes.
        let microBatches = parts.flatMap { part -> [MicroBatch<Networks>] in
          let (rollouts, terms) = (batch.rollouts[part.rollouts], batch.terms(part, c))
          // A value function with a backbone of its own may not be able to share prompts as the policy does.
          let tokens = RolloutBatch(rollouts, for: tuned.model.configuration)
          let valueTokens = RolloutBatch(rollouts, for: value.model.configuration)
          let weight = Double(part.tokens.count)
          let policyPass = MicroBatch<Networks>(weight: weight) { [self] networks in
            tuned.model.useAdapter(TunedModel.policyName)
            let (logProbabilities, entropies) = tokens.logProbabilities(networks.policy, temperature: c.temperature)
            let losses = Self.policyLosses(logProbabilities, terms, c)
            tally.add(logProbabilities, entropies, losses, terms, c)
            return 2 * losses.mean()
          }
          let valuePass = MicroBatch<Networks>(weight: weight) { [self] networks in
            tuned.model.useAdapter(value.adapter)
            let values = networks.value.scores(valueTokens.hidden(networks.value.backbone))
            let losses = Self.valueLosses(values, terms, c)
            tally.add(values: values, losses, terms, c)
            return Tensor(2 * c.valueCoefficient) * losses.mean()
          }
          return [policyPass, valuePass]
        }
        defer { tuned.model.useAdapter(TunedModel.policyName) }
        taken.append(
          try loop.take(on: networks, microBatches, tokens: 2 * batch.tokenCount(parts)).metrics)
      }
    }
    let report = report(batch, tally, taken, seconds: monotonicSeconds() - start)
    state.coefficient?.update(divergence: batch.meanDivergence, episodes: batch.rollouts.count)
    return report
  }

  /// Samples completions with the weights as they are; scores them; and looks at them with policy, reference and value
  /// function, in the passes of training, so that the first ratio is exactly 1.
  private func collect() throws -> Batch {
    let c = setup.training
    let order = ShuffledOrder(count: prompts.count, seed: c.tuning.seed)
    let numbers = (0..<c.prompts).map { order[state.cursor + $0] }
    var random = loop.random
    var rollouts = try sampler.sample(
      numbers.map { ($0, prompts[$0].tokens) }, count: 1, from: tuned.model, random: &random)
    let byFunction = try judge(&rollouts, of: prompts)
    // Nothing fails from here on: until now the step can be repeated.
    state.cursor += c.prompts
    loop.random = random
    let parts = RolloutPart.split(rollouts, size: c.tuning.batchSize)
    func eachPart(for configuration: TransformerConfiguration, _ pass: (RolloutBatch) -> Tensor) -> [Float] {
      withoutGradient {
        parts.flatMap { pass(RolloutBatch(rollouts[$0.rollouts], for: configuration)).array() }
      }
    }
    func logProbabilities(_ model: TransformerLM) -> [Float] {
      eachPart(for: model.configuration) {
        $0.logProbabilities(model, temperature: c.temperature).logProbabilities
      }
    }
    let old = logProbabilities(tuned.model)
    let reference = tuned.reference(logProbabilities)
    let values = tuned.using(value.adapter) {
      eachPart(for: value.model.configuration) { value.model.scores($0.hidden(value.model.backbone)) }
    }
    return Batch(
      rollouts: rollouts, byFunction: byFunction, parts: parts, old: old, reference: reference, values: values,
      coefficient: state.coefficient?.value ?? c.klCoefficient, c)
  }

  /// Gives rollouts their scores, less the penalty for a completion without an end.
  ///
  /// - Returns: the rewards by function: [function][rollout].
  func judge(_ rollouts: inout [Rollout], of prompts: PromptSet) throws -> [[Double]] {
    let byFunction = try judge.judge(
      &rollouts, of: prompts, beside: tuned, batchSize: setup.training.tuning.batchSize)
    for i in rollouts.indices where rollouts[i].isTruncated {
      rollouts[i].reward -= Double(setup.training.missingEndPenalty)
    }
    return byFunction
  }

  /// The parts of each mini-batch of a pass over a rollout: in order at first, as the old policy saw them, then shuffled.
  private func miniBatches(of batch: Batch, epoch: Int) -> [[RolloutPart]] {
    let (count, n) = (batch.parts.count, setup.training.miniBatches)
    var order = Array(0..<count)
    if epoch > 0, n > 1 {
      let permutation = Permutation(count: count, seed: setup.training.tuning.seed, stream: UInt64(loop.step))
      order = order.map { permutation[$0] }
    }
    return (0..<n).map { i in (i * count / n..<(i + 1) * count / n).map { batch.parts[order[$0]] } }
  }
}

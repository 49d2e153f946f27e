import NablaNN
import NablaTensor

extension RLHF {
  /// A rollout with all that learning from it needs. Numbers of tokens are [n], of all completions one after the other.
  package struct Batch {
    package let rollouts: [Rollout]
    /// The rewards by function: [function][rollout].
    let byFunction: [[Double]]
    let parts: [RolloutPart]
    package let old: [Float]
    let sampled: [Float]
    /// KL_t.
    package let divergences: [Float]
    /// Before whitening.
    package let rewards: [Float]
    let values, returns: [Float]
    /// Whitened.
    let advantages: [Float]
    /// β of this rollout.
    let coefficient: Double

    init(
      rollouts: [Rollout], byFunction: [[Double]], parts: [RolloutPart], old: [Float], reference: [Float],
      values: [Float], coefficient: Double, _ c: Configuration
    ) {
      (self.rollouts, self.byFunction, self.parts) = (rollouts, byFunction, parts)
      (self.old, self.values, self.coefficient) = (old, values, coefficient)
      sampled = rollouts.flatMap(\.samplerLogProbabilities)
      divergences = c.klEstimator(Tensor(old), reference: Tensor(reference)).array()
      let lengths = rollouts.map(\.tokens.count)
      rewards = RLHF.tokenRewards(
        divergences: divergences, scores: rollouts.map(\.reward), lengths: lengths, coefficient: coefficient)
      let learned = c.whitensRewards ? whitened(Tensor(rewards), keepsMean: true).array() : rewards
      let estimated = RLHF.advantages(rewards: learned, values: values, lengths: lengths, c)
      returns = estimated.returns
      advantages = whitened(Tensor(estimated.advantages)).array()
    }

    func terms(_ part: RolloutPart, _ c: Configuration) -> Terms {
      func slice(_ values: [Float]) -> Tensor { Tensor(Array(values[part.tokens])) }
      return Terms(
        old: slice(old), advantages: slice(advantages), oldValues: slice(values), returns: slice(returns),
        importance: c.importanceLimit > 0
          ? truncatedImportanceWeights(old: slice(old), sampler: slice(sampled), limit: c.importanceLimit) : nil)
    }

    /// Nats a completion.
    var meanDivergence: Double { sum(divergences) / Double(rollouts.count) }

    /// Tokens that the completions of some parts and their prompts have.
    func tokenCount(_ parts: [RolloutPart]) -> Int {
      parts.flatMap { rollouts[$0.rollouts] }.reduce(0) { $0 + $1.promptTokens.count + $1.tokens.count }
    }
  }
}

/// In float64.
func sum(_ values: [Float]) -> Double { values.reduce(0) { $0 + Double($1) } }

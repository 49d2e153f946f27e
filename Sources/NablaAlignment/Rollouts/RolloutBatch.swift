import NablaLanguage
import NablaTensor

/// Rollouts packed into a single row: each is processed as if it were alone, and the prompt of several completions once.
/// n: the tokens of all completions.
package struct RolloutBatch {
  /// Tokens of each completion.
  package let lengths: [Int]
  private let packed: PackedSequences
  /// [n] int32: the places that predict the completions' tokens, and those tokens.
  private let places, targets: Tensor

  /// - Parameter configuration: of the model that will read them.
  package init(_ rollouts: some Collection<Rollout>, for configuration: TransformerConfiguration) {
    let packed = PackedSequences(rollouts.map { $0.promptTokens + $0.tokens.dropLast() }, for: configuration)
    let places = rollouts.enumerated().flatMap { number, rollout in
      rollout.tokens.indices.map { Int32(packed.place(of: rollout.promptTokens.count - 1 + $0, in: number)) }
    }
    lengths = rollouts.map(\.tokens.count)
    self.packed = packed
    (self.places, targets) = (Tensor(places), Tensor(rollouts.flatMap(\.tokens)))
  }

  /// The backbone's hidden states at the places that predict the completions' tokens: [n, C]. No dropout.
  package func hidden(_ backbone: Transformer) -> Tensor {
    let hidden = backbone(packed.tokens, segments: packed.segments)
    return hidden.reshaped([packed.tokens.count, backbone.configuration.width]).gather(places)
  }

  /// ln π of each token of the completions with logits divided by the temperature, and the entropy of π there: [n]
  /// each. No dropout: passes before and after a step differ only by the step.
  package func logProbabilities(
    _ model: TransformerLM, temperature: Float
  ) -> (logProbabilities: Tensor, entropies: Tensor) {
    model.logProbabilities(hidden: hidden(model.backbone), targets: targets, temperature: temperature)
  }
}

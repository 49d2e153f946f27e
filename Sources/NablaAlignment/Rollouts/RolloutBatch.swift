import NablaLanguage
import NablaTensor

/// Rollouts packed into a single row, without padding: each is processed as if it were alone. n: the tokens
/// of all completions.
package struct RolloutBatch {
  /// Tokens of each completion.
  package let lengths: [Int]
  /// [1, T] int32.
  private let tokens: Tensor
  private let segments: Segments
  /// [n] int32: the positions that predict the completions' tokens, and those tokens.
  private let places, targets: Tensor

  package init(_ rollouts: some Collection<Rollout>) {
    var (tokens, places, targets): ([Int32], [Int32], [Int32]) = ([], [], [])
    var inputs: [Int] = []
    for rollout in rollouts {
      let start = tokens.count + rollout.promptTokens.count - 1
      places += rollout.tokens.indices.map { Int32(start + $0) }
      targets += rollout.tokens
      tokens += rollout.promptTokens + rollout.tokens.dropLast()
      inputs.append(rollout.promptTokens.count + rollout.tokens.count - 1)
    }
    lengths = rollouts.map(\.tokens.count)
    self.tokens = Tensor(tokens, [1, tokens.count])
    segments = Segments(lengths: [inputs], time: tokens.count)
    (self.places, self.targets) = (Tensor(places), Tensor(targets))
  }

  /// The backbone's hidden states at the places that predict the completions' tokens: [n, C]. No dropout.
  package func hidden(_ backbone: Transformer) -> Tensor {
    let hidden = backbone(tokens, segments: segments)
    return hidden.reshaped([tokens.count, backbone.configuration.width]).gather(places)
  }

  /// ln π of each token of the completions with logits divided by the temperature, and the entropy of π there: [n]
  /// each. No dropout: passes before and after a step differ only by the step.
  package func logProbabilities(
    _ model: TransformerLM, temperature: Float
  ) -> (logProbabilities: Tensor, entropies: Tensor) {
    model.logProbabilities(hidden: hidden(model.backbone), targets: targets, temperature: temperature)
  }
}

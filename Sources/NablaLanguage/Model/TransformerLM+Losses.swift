import NablaNN
import NablaTensor

// Training losses from hidden states. The logits [B, T, V] are never materialized as a whole, unless the output layer
// has been replaced by one that must be called.
extension TransformerLM {
  /// Cross-entropy of the next tokens in nats.
  ///
  /// - Parameters:
  ///   - tokens: [B, T] int32.
  ///   - targets: [B, T] int32; -100 is ignored.
  ///   - weights: the weight of each target, [B, T]: the result is then the weighted sum. Nil for the mean.
  ///   - segments: the examples of a packed batch, which do not see each other.
  ///   - positions: [B, T] int32, of a packed batch; nil for 0..<T.
  ///   - options: label smoothing and z-loss.
  ///   - random: the random source of dropout; nil outside training.
  public func loss(
    _ tokens: Tensor, targets: Tensor, weights: Tensor? = nil, segments: Segments? = nil, positions: Tensor? = nil,
    options: CrossEntropyOptions = .init(), random: RandomSource? = nil
  ) -> Tensor {
    loss(
      hidden: self(tokens, segments: segments, positions: positions, random: random), targets: targets,
      weights: weights, options: options)
  }

  /// The same from hidden states [..., C] and targets [...].
  public func loss(
    hidden: Tensor, targets: Tensor, weights: Tensor? = nil, options: CrossEntropyOptions = .init()
  ) -> Tensor {
    guard let weight = fusedOutput else {
      return logits(hidden).crossEntropy(targets, weights: weights, options: options)
    }
    return hidden.linearCrossEntropy(weight, targets: targets, weights: weights, options: options)
  }

  /// ln π(target) at each position, and the entropy of π there, both in nats: what DPO, GRPO and PPO sum.
  ///
  /// - Parameters:
  ///   - tokens: [B, T] int32.
  ///   - targets: [B, T] int32; -100 gives 0 and 0.
  ///   - segments: the examples of a packed batch, which do not see each other.
  ///   - positions: [B, T] int32, of a packed batch; nil for 0..<T.
  ///   - temperature: the divisor of the logits, as in the sampling that chose the targets.
  ///   - random: the random source of dropout; nil outside training.
  /// - Returns: [B, T] each; both have gradients.
  public func logProbabilities(
    _ tokens: Tensor, targets: Tensor, segments: Segments? = nil, positions: Tensor? = nil, temperature: Float = 1,
    random: RandomSource? = nil
  ) -> (logProbabilities: Tensor, entropies: Tensor) {
    logProbabilities(
      hidden: self(tokens, segments: segments, positions: positions, random: random), targets: targets,
      temperature: temperature)
  }

  /// The same from hidden states [..., C] and targets [...].
  public func logProbabilities(
    hidden: Tensor, targets: Tensor, temperature: Float = 1
  ) -> (logProbabilities: Tensor, entropies: Tensor) {
    guard let weight = fusedOutput else {
      return logits(hidden).logProbabilitiesAndEntropies(targets: targets, temperature: temperature)
    }
    return hidden.linearLogProbabilitiesAndEntropies(weight, targets: targets, temperature: temperature)
  }
}

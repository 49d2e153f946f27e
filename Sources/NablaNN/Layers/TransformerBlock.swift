import NablaTensor

/// Where a block normalises.
public enum NormPlacement: String, Sendable, Codable, CaseIterable {
  /// x + f(norm(x)): gradients pass straight through; every large model since GPT-2.
  case pre
  /// norm(x + f(x)): the original transformer.
  case post
}

/// What a transformer block is made of.
public struct BlockConfiguration: Sendable, Hashable {
  public var attention: AttentionConfiguration
  public var feedForwardWidth: Int
  public var feedForward: FeedForwardKind
  /// Whether the feed-forward layers have biases.
  public var feedForwardBias: Bool
  public var norm: NormKind
  public var normPlacement: NormPlacement
  public var normEpsilon: Float
  /// Probability of dropping an element of what attention and feed-forward add.
  public var dropout: Float

  public init(
    attention: AttentionConfiguration, feedForwardWidth: Int, feedForward: FeedForwardKind, feedForwardBias: Bool,
    norm: NormKind, normPlacement: NormPlacement, normEpsilon: Float = 1e-5, dropout: Float = 0
  ) {
    self.attention = attention
    self.feedForwardWidth = feedForwardWidth
    self.feedForward = feedForward
    self.feedForwardBias = feedForwardBias
    self.norm = norm
    self.normPlacement = normPlacement
    self.normEpsilon = normEpsilon
    self.dropout = dropout
  }
}

/// Attention, then feed-forward, each added to what it was given and normalised before (pre) or after (post).
public final class TransformerBlock: Module {
  @Named("self_attn") public var attention: Attention
  @Named("mlp") public var feedForward: FeedForward
  @Named("input_layernorm") public var attentionNorm: Norm
  @Named("post_attention_layernorm") public var feedForwardNorm: Norm
  public let configuration: BlockConfiguration

  /// - Parameter outputDeviation: standard deviation of the weights whose results are added to the residual stream.
  public init(
    _ configuration: BlockConfiguration, standardDeviation: Float = 0.02, outputDeviation: Float = 0.02,
    random: inout RandomSource
  ) {
    let c = configuration
    self.configuration = c
    super.init()
    attention = Attention(
      c.attention, standardDeviation: standardDeviation, outputDeviation: outputDeviation, random: &random)
    feedForward = FeedForward(
      width: c.attention.width, hidden: c.feedForwardWidth, kind: c.feedForward, bias: c.feedForwardBias,
      standardDeviation: standardDeviation, outputDeviation: outputDeviation, random: &random)
    attentionNorm = Norm(c.attention.width, kind: c.norm, epsilon: c.normEpsilon)
    feedForwardNorm = Norm(c.attention.width, kind: c.norm, epsilon: c.normEpsilon)
  }

  /// x: [B, T, width] float32.
  ///
  /// - Parameters:
  ///   - computeType: the type products run in.
  ///   - cache: keys and values of earlier positions. x is then [1, R, width], the rows of the cache's step.
  ///   - random: draws for dropout; nil outside training.
  public func callAsFunction(
    _ x: Tensor, rotary: RotaryTable? = nil, keyLengths: Tensor? = nil, computeType: DType = .float32,
    cache: KeyValueCache.Layer? = nil, random: inout RandomSource?
  ) -> Tensor {
    let c = configuration
    /// x + f(x), dropping elements of f(x) in training.
    func added(to x: Tensor, _ f: (_ residual: Tensor?) -> Tensor) -> Tensor {
      guard c.dropout > 0, random != nil else { return f(x) }
      return x + f(nil).cast(.float32).dropout(c.dropout, random: &random!)
    }
    switch c.normPlacement {
    case .pre:
      let normed = attentionNorm(x, output: computeType)
      let mixed = added(to: x) {
        attention(normed, rotary: rotary, keyLengths: keyLengths, residual: $0, cache: cache)
      }
      let again = feedForwardNorm(mixed, output: computeType)
      return added(to: mixed) { feedForward(again, residual: $0) }
    case .post:
      let input = x.cast(computeType)
      let mixed = attentionNorm(
        added(to: x) { attention(input, rotary: rotary, keyLengths: keyLengths, residual: $0, cache: cache) })
      let middle = mixed.cast(computeType)
      return feedForwardNorm(added(to: mixed) { feedForward(middle, residual: $0) })
    }
  }
}

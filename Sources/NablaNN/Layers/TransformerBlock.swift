import NablaTensor

/// Where a block normalizes.
public enum NormPlacement: String, Sendable, Codable, CaseIterable {
  /// x + f(norm(x)): gradients pass straight through; every large model since GPT-2.
  case pre
  /// norm(x + f(x)): the original transformer.
  case post
}

/// The configuration of a transformer block.
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
  /// A second attention, between the first and feed-forward, whose keys and values come from another sequence; nil for
  /// none.
  public var crossAttention: AttentionConfiguration?
  /// The width of the condition that modulates the sublayers (AdaLN-Zero, see `Modulation`); nil for none. The norms
  /// then have no parameters of their own.
  public var conditionWidth: Int?

  public init(
    attention: AttentionConfiguration, feedForwardWidth: Int, feedForward: FeedForwardKind, feedForwardBias: Bool,
    norm: NormKind, normPlacement: NormPlacement, normEpsilon: Float = 1e-5, dropout: Float = 0,
    crossAttention: AttentionConfiguration? = nil, conditionWidth: Int? = nil
  ) {
    self.attention = attention
    self.feedForwardWidth = feedForwardWidth
    self.feedForward = feedForward
    self.feedForwardBias = feedForwardBias
    self.norm = norm
    self.normPlacement = normPlacement
    self.normEpsilon = normEpsilon
    self.dropout = dropout
    self.crossAttention = crossAttention
    self.conditionWidth = conditionWidth
  }
}

/// Attention, cross-attention if there is one, then feed-forward, each with a residual connection and a norm before
/// (pre) or after (post).
public final class TransformerBlock: Module {
  @Named("self_attn") public var attention: Attention
  @Named("mlp") public var feedForward: FeedForward
  @Named("input_layernorm") public var attentionNorm: Norm
  @Named("post_attention_layernorm") public var feedForwardNorm: Norm
  @Named("cross_attn") public var crossAttention: Attention?
  @Named("cross_attn_layernorm") public var crossAttentionNorm: Norm?
  /// Computes the modulations of attention and feed-forward from a condition; the name is that in DiT's checkpoints.
  @Named("adaLN_modulation.1") public var modulation: Linear?
  public let configuration: BlockConfiguration

  /// - Parameters:
  ///   - configuration: widths, heads, norms and positions.
  ///   - standardDeviation: of the other initial weights.
  ///   - outputDeviation: standard deviation of the weights whose results are added to the residual stream.
  ///   - random: draws the weights.
  public init(
    _ configuration: BlockConfiguration, standardDeviation: Float = 0.02, outputDeviation: Float = 0.02,
    random: inout RandomSource
  ) {
    let c = configuration
    let width = c.attention.width
    precondition(
      c.conditionWidth == nil || c.normPlacement == .pre, "TransformerBlock: modulation requires pre-norm")
    self.configuration = c
    super.init()
    attention = Attention(
      c.attention, standardDeviation: standardDeviation, outputDeviation: outputDeviation, random: &random)
    feedForward = FeedForward(
      width: width, hidden: c.feedForwardWidth, kind: c.feedForward, bias: c.feedForwardBias,
      standardDeviation: standardDeviation, outputDeviation: outputDeviation, random: &random)
    let affine = c.conditionWidth == nil
    attentionNorm = Norm(width, kind: c.norm, epsilon: c.normEpsilon, affine: affine)
    feedForwardNorm = Norm(width, kind: c.norm, epsilon: c.normEpsilon, affine: affine)
    crossAttention = c.crossAttention.map {
      Attention($0, standardDeviation: standardDeviation, outputDeviation: outputDeviation, random: &random)
    }
    crossAttentionNorm = c.crossAttention.map { _ in Norm(width, kind: c.norm, epsilon: c.normEpsilon) }
    modulation = c.conditionWidth.map { Modulation.layer(condition: $0, width: width, count: 2) }
  }

  /// x: [B, T, width] float32 → the same.
  ///
  /// - Parameters:
  ///   - x: [B, T, width] float32.
  ///   - rotary: rotates queries and keys by their positions.
  ///   - positions: int32 [B, T]; nil where they are 0..<T in each sequence.
  ///   - segments: the examples of a packed batch, which do not see each other.
  ///   - keyLengths: int32 [B], where sequences are padded at the end.
  ///   - context: [B, Tk, context width], the input of cross-attention's keys and values.
  ///   - contextLengths: int32 [B], where contexts are padded at the end.
  ///   - condition: [B, condition width], which modulates the sublayers.
  ///   - computeType: the type that matrix multiplications run in.
  ///   - cache: keys and values of earlier positions. x is then [1, R, width], the rows of the cache's step.
  ///   - random: the random source of dropout; nil outside training.
  public func callAsFunction(
    _ x: Tensor, rotary: RotaryTable? = nil, positions: Tensor? = nil, segments: Segments? = nil,
    keyLengths: Tensor? = nil, context: Tensor? = nil, contextLengths: Tensor? = nil, condition: Tensor? = nil,
    computeType: DType = .float32, cache: KeyValueCache.Layer? = nil, random: inout RandomSource?
  ) -> Tensor {
    let c = configuration
    precondition(
      (context == nil) == (crossAttention == nil) && (condition == nil) == (modulation == nil),
      "TransformerBlock: a context requires cross-attention, and a condition requires modulation")
    let modulations = modulation.map { Modulation.all(condition!, $0, width: c.attention.width) }
    let context = context?.cast(computeType)

    /// One sublayer f with its residual connection and norm.
    func sublayer(
      _ x: Tensor, _ norm: Norm, _ modulation: Modulation?, _ f: (_ x: Tensor, _ residual: Tensor?) -> Tensor
    ) -> Tensor {
      var input: Tensor
      switch c.normPlacement {
      case .pre:
        input = norm(x, output: modulation == nil ? computeType : .float32)
        if let modulation { input = modulation(input).cast(computeType) }
      case .post: input = x.cast(computeType)
      }
      var y: Tensor
      let drops = c.dropout > 0 && random != nil
      if drops || modulation != nil {
        y = f(input, nil).cast(.float32)
        if drops { y = y.dropout(c.dropout, random: &random!) }
        y = x + (modulation.map { y * $0.gate } ?? y)
      } else {
        y = f(input, x)
      }
      return c.normPlacement == .post ? norm(y) : y
    }

    var y = sublayer(x, attentionNorm, modulations?[0]) { x, residual in
      attention(
        x, rotary: rotary, positions: positions, segments: segments, keyLengths: keyLengths, residual: residual,
        cache: cache)
    }
    if let crossAttention {
      y = sublayer(y, crossAttentionNorm!, nil) { x, residual in
        crossAttention(x, context: context!, mask: AttentionMask(keyLengths: contextLengths), residual: residual)
      }
    }
    return sublayer(y, feedForwardNorm, modulations?[1]) { feedForward($0, residual: $1) }
  }
}

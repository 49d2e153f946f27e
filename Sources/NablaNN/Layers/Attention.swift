import NablaTensor

/// The sizes of an attention layer.
public struct AttentionConfiguration: Sendable, Hashable {
  public var width: Int
  /// H: query heads.
  public var headCount: Int
  /// G: key-value heads. H for multi-head, 1 for multi-query, between for grouped-query attention.
  public var keyValueHeadCount: Int
  /// D. Usually width / H.
  public var headSize: Int
  public var bias: Bool
  /// Whether the output projection has a bias too (Qwen 2 has biases on queries, keys and values only).
  public var outputBias: Bool
  public var causal: Bool
  public var window: Int?

  public init(
    width: Int, headCount: Int, keyValueHeadCount: Int? = nil, headSize: Int? = nil, bias: Bool = false,
    outputBias: Bool? = nil, causal: Bool = true, window: Int? = nil
  ) {
    self.width = width
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount ?? headCount
    self.headSize = headSize ?? width / headCount
    self.bias = bias
    self.outputBias = outputBias ?? bias
    self.causal = causal
    self.window = window
  }
}

/// Multi-head, grouped-query or multi-query attention with its projections.
public final class Attention: Module {
  @Named("q_proj") public private(set) var query: Linear
  @Named("k_proj") public private(set) var key: Linear
  @Named("v_proj") public private(set) var value: Linear
  @Named("o_proj") public private(set) var output: Linear
  public let configuration: AttentionConfiguration

  public init(
    _ configuration: AttentionConfiguration, standardDeviation: Float = 0.02, outputDeviation: Float = 0.02,
    random: inout RandomSource
  ) {
    self.configuration = configuration
    let c = configuration
    super.init()
    func linear(_ outputs: Int, _ random: inout RandomSource) -> Linear {
      Linear(c.width, outputs, bias: c.bias, standardDeviation: standardDeviation, random: &random)
    }
    query = linear(c.headCount * c.headSize, &random)
    key = linear(c.keyValueHeadCount * c.headSize, &random)
    value = linear(c.keyValueHeadCount * c.headSize, &random)
    output = Linear(
      c.headCount * c.headSize, c.width, bias: c.outputBias, standardDeviation: outputDeviation, random: &random)
  }

  /// Self-attention. x: [B, T, width].
  ///
  /// - Parameters:
  ///   - rotary: turns queries and keys by their positions.
  ///   - keyLengths: int32 [B], where sequences are padded at the end.
  ///   - residual: added to the result.
  ///   - cache: keys and values of earlier positions; x continues them, and its own are appended.
  public func callAsFunction(
    _ x: Tensor, rotary: RotaryTable? = nil, keyLengths: Tensor? = nil, residual: Tensor? = nil,
    cache: KeyValueCache.Layer? = nil
  ) -> Tensor {
    let c = configuration
    let mask = AttentionMask(causal: c.causal, window: c.window, keyLengths: keyLengths)
    var packed = [query, key, value].packed(x)
    if let rotary {
      packed = packed.rotary(
        rotary, heads: c.headCount + c.keyValueHeadCount, headSize: c.headSize, offset: cache?.length ?? 0)
    }
    let mixed =
      if let cache {
        cache.attend(packed, c, mask)
      } else {
        packed.packedAttention(heads: c.headCount, keyValueHeads: c.keyValueHeadCount, mask: mask)
      }
    return output(mixed, residual: residual)
  }

  /// Cross-attention: queries from x [B, Tq, width], keys and values from `context` [B, Tk, width].
  public func callAsFunction(_ x: Tensor, context: Tensor, mask: AttentionMask = .none) -> Tensor {
    let c = configuration
    func heads(_ projected: Tensor, _ count: Int) -> Tensor {
      projected.reshaped([projected.shape[0], projected.shape[1], count, c.headSize])
    }
    let mixed = Tensor.attention(
      queries: heads(query(x), c.headCount), keys: heads(key(context), c.keyValueHeadCount),
      values: heads(value(context), c.keyValueHeadCount), mask: mask)
    return output(mixed.reshaped([x.shape[0], x.shape[1], c.headCount * c.headSize]))
  }

  /// The weights that self-attention gives x [B, T, width]: [B, H, T, T] float32, by the exact formula.
  public func weights(_ x: Tensor, rotary: RotaryTable? = nil) -> Tensor {
    let c = configuration
    var packed = [query, key].packed(x)
    if let rotary {
      packed = packed.rotary(rotary, heads: c.headCount + c.keyValueHeadCount, headSize: c.headSize)
    }
    let parts = packed.split([c.headCount * c.headSize, c.keyValueHeadCount * c.headSize], axis: 2)
    let (batch, time) = (x.shape[0], x.shape[1])
    return Tensor.attentionWeights(
      queries: parts[0].reshaped([batch, time, c.headCount, c.headSize]),
      keys: parts[1].reshaped([batch, time, c.keyValueHeadCount, c.headSize]),
      mask: AttentionMask(causal: c.causal, window: c.window))
  }
}

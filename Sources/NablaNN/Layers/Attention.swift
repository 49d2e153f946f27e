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
  /// ε of the root-mean-square norm of each query's and each key's head, before they turn (Qwen 3); nil for no norm.
  public var headNormEpsilon: Float?

  public init(
    width: Int, headCount: Int, keyValueHeadCount: Int? = nil, headSize: Int? = nil, bias: Bool = false,
    outputBias: Bool? = nil, causal: Bool = true, window: Int? = nil, headNormEpsilon: Float? = nil
  ) {
    self.width = width
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount ?? headCount
    self.headSize = headSize ?? width / headCount
    self.bias = bias
    self.outputBias = outputBias ?? bias
    self.causal = causal
    self.window = window
    self.headNormEpsilon = headNormEpsilon
  }
}

/// Multi-head, grouped-query or multi-query attention with its projections.
public final class Attention: Module {
  @Named("q_proj") public var query: Linear
  @Named("k_proj") public var key: Linear
  @Named("v_proj") public var value: Linear
  @Named("o_proj") public var output: Linear
  @Named("q_norm") public var queryNorm: Norm?
  @Named("k_norm") public var keyNorm: Norm?
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
    queryNorm = c.headNormEpsilon.map { Norm(c.headSize, kind: .rms, epsilon: $0) }
    keyNorm = c.headNormEpsilon.map { Norm(c.headSize, kind: .rms, epsilon: $0) }
  }

  /// Self-attention. x: [B, T, width].
  ///
  /// - Parameters:
  ///   - rotary: turns queries and keys by their positions.
  ///   - keyLengths: int32 [B], where sequences are padded at the end.
  ///   - residual: added to the result.
  ///   - cache: keys and values of earlier positions. x is then [1, R, width], the rows of the cache's step.
  public func callAsFunction(
    _ x: Tensor, rotary: RotaryTable? = nil, keyLengths: Tensor? = nil, residual: Tensor? = nil,
    cache: KeyValueCache.Layer? = nil
  ) -> Tensor {
    let c = configuration
    let mask = AttentionMask(causal: c.causal, window: c.window, keyLengths: keyLengths)
    let turning = c.headCount + c.keyValueHeadCount
    if let cache {
      precondition(keyLengths == nil, "attention: a key-value cache knows its lengths")
      let packed = normalized([query, key, value].sideBySide(x))
      let turned = rotary.map { packed.rotary($0, heads: turning, headSize: c.headSize, positions: cache.positions) }
      return output(cache.attend(turned ?? packed, c), residual: residual)
    }
    guard let packed = [query, key, value].packed(x).map(normalized) else {
      return mixed(x, x, rotary: rotary, mask: mask, residual: residual)
    }
    let turned = rotary.map { packed.rotary($0, heads: turning, headSize: c.headSize) } ?? packed
    let mixed = turned.packedAttention(heads: c.headCount, keyValueHeads: c.keyValueHeadCount, mask: mask)
    return output(mixed, residual: residual)
  }

  /// Each head's query and key normalised; what stands beside them in `packed` [B, T, (H + G + …)·D] stays.
  private func normalized(_ packed: Tensor) -> Tensor {
    guard let queryNorm, let keyNorm else { return packed }
    let c = configuration
    let (q, k) = (c.headCount * c.headSize, c.keyValueHeadCount * c.headSize)
    let parts = packed.split([q, k, packed.shape[2] - q - k], axis: 2)
    func heads(_ x: Tensor, _ norm: Norm) -> Tensor {
      norm(x.reshaped([x.shape[0], x.shape[1], -1, c.headSize]), output: packed.dtype).reshaped(x.shape)
    }
    return Tensor.concatenate([heads(parts[0], queryNorm), heads(parts[1], keyNorm), parts[2]], axis: 2)
  }

  /// Cross-attention: queries from x [B, Tq, width], keys and values from `context` [B, Tk, width].
  public func callAsFunction(
    _ x: Tensor, context: Tensor, mask: AttentionMask = .none, residual: Tensor? = nil
  ) -> Tensor {
    mixed(x, context, rotary: nil, mask: mask, residual: residual)
  }

  /// Queries from x, keys and values from `context`, each projected by a call of its layer.
  private func mixed(
    _ x: Tensor, _ context: Tensor, rotary: RotaryTable?, mask: AttentionMask, residual: Tensor?
  ) -> Tensor {
    let c = configuration
    /// projected: [B, T, count·D] → [B, T, count, D].
    func heads(_ projected: Tensor, _ count: Int, _ norm: Norm?) -> Tensor {
      let shape = Shape([projected.shape[0], projected.shape[1], count, c.headSize])
      var y = norm.map { $0(projected.reshaped(shape), output: projected.dtype) } ?? projected
      if let rotary { y = y.reshaped(projected.shape).rotary(rotary, heads: count, headSize: c.headSize) }
      return y.reshaped(shape)
    }
    let mixed = Tensor.attention(
      queries: heads(query(x), c.headCount, queryNorm), keys: heads(key(context), c.keyValueHeadCount, keyNorm),
      values: value(context).reshaped([context.shape[0], context.shape[1], c.keyValueHeadCount, c.headSize]),
      mask: mask)
    return output(mixed.reshaped([x.shape[0], x.shape[1], c.headCount * c.headSize]), residual: residual)
  }

  /// The weights that self-attention gives x [B, T, width]: [B, H, T, T] float32, by the exact formula.
  public func weights(_ x: Tensor, rotary: RotaryTable? = nil) -> Tensor {
    let c = configuration
    var packed = normalized([query, key].sideBySide(x))
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

import NablaTensor

/// The sizes of an attention layer.
public struct AttentionConfiguration: Sendable, Hashable {
  public var width: Int
  /// The width of the input of keys and values: another sequence's in cross-attention; nil for `width`.
  public var contextWidth: Int?
  /// H: query heads.
  public var headCount: Int
  /// G: key/value heads. H for multi-head, 1 for multi-query, in between for grouped-query attention.
  public var keyValueHeadCount: Int
  /// D. Usually width / H.
  public var headSize: Int
  public var bias: Bool
  /// Whether the output projection has a bias too (Qwen 2 has biases on queries, keys and values only).
  public var outputBias: Bool
  public var causal: Bool
  public var window: Int?
  /// ε of the RMS norm of each query and key head, before the rotation (Qwen 3); nil for no norm.
  public var headNormEpsilon: Float?

  public init(
    width: Int, headCount: Int, keyValueHeadCount: Int? = nil, headSize: Int? = nil, bias: Bool = false,
    outputBias: Bool? = nil, causal: Bool = true, window: Int? = nil, headNormEpsilon: Float? = nil,
    contextWidth: Int? = nil
  ) {
    self.width = width
    self.contextWidth = contextWidth
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
    func linear(_ inputs: Int, _ outputs: Int, _ random: inout RandomSource) -> Linear {
      Linear(inputs, outputs, bias: c.bias, standardDeviation: standardDeviation, random: &random)
    }
    let contextWidth = c.contextWidth ?? c.width
    query = linear(c.width, c.headCount * c.headSize, &random)
    key = linear(contextWidth, c.keyValueHeadCount * c.headSize, &random)
    value = linear(contextWidth, c.keyValueHeadCount * c.headSize, &random)
    output = Linear(
      c.headCount * c.headSize, c.width, bias: c.outputBias, standardDeviation: outputDeviation, random: &random)
    queryNorm = c.headNormEpsilon.map { Norm(c.headSize, kind: .rms, epsilon: $0) }
    keyNorm = c.headNormEpsilon.map { Norm(c.headSize, kind: .rms, epsilon: $0) }
  }

  /// Self-attention. x: [B, T, width].
  ///
  /// - Parameters:
  ///   - x: [B, T, width].
  ///   - rotary: rotates queries and keys by their positions.
  ///   - positions: int32 [B, T]; nil where they are 0..<T in each sequence.
  ///   - segments: the examples of a packed batch, which do not see each other.
  ///   - keyLengths: int32 [B], where sequences are padded at the end.
  ///   - residual: added to the result.
  ///   - cache: keys and values of earlier positions. x is then [1, R, width], the rows of the cache's step.
  public func callAsFunction(
    _ x: Tensor, rotary: RotaryTable? = nil, positions: Tensor? = nil, segments: Segments? = nil,
    keyLengths: Tensor? = nil, residual: Tensor? = nil, cache: KeyValueCache.Layer? = nil
  ) -> Tensor {
    let c = configuration
    let heads = c.headCount + c.keyValueHeadCount
    if let cache {
      precondition(
        keyLengths == nil && segments == nil && positions == nil,
        "attention: a key-value cache has its own lengths and positions")
      let packed = normalized([query, key, value].sideBySide(x))
      return output(cache.attend(rotated(packed, rotary, cache.positions, heads: heads), c), residual: residual)
    }
    let mask = AttentionMask(causal: c.causal, window: c.window, keyLengths: keyLengths, segments: segments)
    guard let packed = [query, key, value].packed(x).map(normalized) else {
      return mixed(x, x, rotary: rotary, positions: positions, mask: mask, residual: residual)
    }
    let mixed = rotated(packed, rotary, positions, heads: heads)
      .packedAttention(heads: c.headCount, keyValueHeads: c.keyValueHeadCount, mask: mask)
    return output(mixed, residual: residual)
  }

  /// x: [B, T, W], whose first `heads` · D columns are rotated if there is a table.
  private func rotated(_ x: Tensor, _ table: RotaryTable?, _ positions: Tensor?, heads: Int) -> Tensor {
    guard let table else { return x }
    guard let positions else { return x.rotary(table, heads: heads, headSize: configuration.headSize) }
    return x.rotary(table, heads: heads, headSize: configuration.headSize, positions: positions)
  }

  /// Each head's query and key normalized; the rest of `packed` [B, T, (H + G + …)·D] is unchanged.
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

  /// Cross-attention: queries from x [B, Tq, width], keys and values from `context` [B, Tk, contextWidth].
  public func callAsFunction(
    _ x: Tensor, context: Tensor, mask: AttentionMask = .none, residual: Tensor? = nil
  ) -> Tensor {
    mixed(x, context, rotary: nil, positions: nil, mask: mask, residual: residual)
  }

  /// Queries from x, keys and values from `context`, each projected by a call of its own layer.
  private func mixed(
    _ x: Tensor, _ context: Tensor, rotary: RotaryTable?, positions: Tensor?, mask: AttentionMask, residual: Tensor?
  ) -> Tensor {
    let c = configuration
    /// projected: [B, T, count·D] → [B, T, count, D].
    func heads(_ projected: Tensor, _ count: Int, _ norm: Norm?) -> Tensor {
      let shape = Shape([projected.shape[0], projected.shape[1], count, c.headSize])
      let y = norm.map { $0(projected.reshaped(shape), output: projected.dtype) } ?? projected
      return rotated(y.reshaped(projected.shape), rotary, positions, heads: count).reshaped(shape)
    }
    let mixed = Tensor.attention(
      queries: heads(query(x), c.headCount, queryNorm), keys: heads(key(context), c.keyValueHeadCount, keyNorm),
      values: value(context).reshaped([context.shape[0], context.shape[1], c.keyValueHeadCount, c.headSize]),
      mask: mask)
    return output(mixed.reshaped([x.shape[0], x.shape[1], c.headCount * c.headSize]), residual: residual)
  }

  /// What self-attention makes of x [B, T, width] before it mixes: queries [B, T, H, D], keys and values [B, T, G, D],
  /// normalized and rotated.
  ///
  /// - Parameters:
  ///   - x: [B, T, width].
  ///   - rotary: rotates queries and keys by their positions.
  ///   - positions: int32 [B, T]; nil where they are 0..<T in each sequence.
  public func heads(
    _ x: Tensor, rotary: RotaryTable? = nil, positions: Tensor? = nil
  ) -> (queries: Tensor, keys: Tensor, values: Tensor) {
    let c = configuration
    let packed = rotated(
      normalized([query, key, value].sideBySide(x)), rotary, positions, heads: c.headCount + c.keyValueHeadCount)
    let counts = [c.headCount, c.keyValueHeadCount, c.keyValueHeadCount]
    let parts = zip(packed.split(counts.map { $0 * c.headSize }, axis: 2), counts).map { part, count in
      part.reshaped([x.shape[0], x.shape[1], count, c.headSize])
    }
    return (parts[0], parts[1], parts[2])
  }

  /// The attention weights of self-attention on x [B, T, width]: [B, H, T, T] float32, by the exact formula.
  public func weights(_ x: Tensor, rotary: RotaryTable? = nil) -> Tensor {
    let (queries, keys, _) = heads(x, rotary: rotary)
    return Tensor.attentionWeights(
      queries: queries, keys: keys, mask: AttentionMask(causal: configuration.causal, window: configuration.window))
  }
}

import CNablaKernels

/// Which keys a query may see. Masks are aligned to the end: query i of Tq is at key position i + Tk - Tq.
public struct AttentionMask: Sendable {
  /// A query sees no key after its own position.
  public var causal: Bool
  /// A query sees only its own and the `window` - 1 positions before it (Mistral's sliding window). Nil: no limit.
  public var window: Int?
  /// int32 [B]: keys at and beyond this length are padding.
  public var keyLengths: Tensor?
  /// Self-attention only: a query sees no key outside its own segment.
  public var segments: Segments?
  /// Added to the scaled scores: float32, broadcast to [B, H, Tq, Tk]; -infinity masks a key. It gets no gradient.
  public var bias: Tensor?

  public init(
    causal: Bool = false, window: Int? = nil, keyLengths: Tensor? = nil, segments: Segments? = nil,
    bias: Tensor? = nil
  ) {
    (self.causal, self.window, self.keyLengths, self.segments) = (causal, window, keyLengths, segments)
    self.bias = bias
  }

  public static let none = AttentionMask()
  public static let causal = AttentionMask(causal: true)
}

/// The memory layout of heads: x[b, t, h, d], d contiguous. `start` and strides are in elements.
package struct HeadsView {
  package var tensor: Tensor
  package var start = 0
  package var batchStride: Int
  package var timeStride: Int
  package var headStride: Int

  package init(_ tensor: Tensor, start: Int = 0, batchStride: Int, timeStride: Int, headStride: Int) {
    (self.tensor, self.start) = (tensor, start)
    (self.batchStride, self.timeStride, self.headStride) = (batchStride, timeStride, headStride)
  }

  /// A tensor [B, T, heads, D].
  init(heads x: Tensor) {
    self.init(
      x, batchStride: x.shape[1] * x.shape[2] * x.shape[3], timeStride: x.shape[2] * x.shape[3], headStride: x.shape[3])
  }

  private var address: UnsafeMutableRawPointer { tensor.pointer + start * tensor.dtype.size }
  var input: nabla_attention_view {
    .init(
      data: address, batchStride: Int64(batchStride), timeStride: Int64(timeStride), headStride: Int64(headStride))
  }
  var output: nabla_attention_output {
    .init(
      data: address, batchStride: Int64(batchStride), timeStride: Int64(timeStride), headStride: Int64(headStride))
  }
}

/// The sizes of one attention: B batch, H query heads, G key-value heads, Tq queries, Tk keys, D head size.
package struct AttentionSizes {
  package var batch, heads, keyValueHeads, queries, keys, headSize: Int
  package init(batch: Int, heads: Int, keyValueHeads: Int, queries: Int, keys: Int, headSize: Int) {
    precondition(
      keyValueHeads > 0 && heads % keyValueHeads == 0 && headSize >= 1 && headSize <= 256,
      "attention: \(heads) query heads over \(keyValueHeads) key-value heads of size \(headSize)")
    (self.batch, self.heads, self.keyValueHeads) = (batch, heads, keyValueHeads)
    (self.queries, self.keys, self.headSize) = (queries, keys, headSize)
  }

  fileprivate func problem(_ dtype: DType, _ mask: AttentionMask, scale: Float?) -> nabla_attention {
    var problem = nabla_attention()
    problem.dtype = dtype == .bfloat16 ? NABLA_ATTENTION_BFLOAT16 : NABLA_ATTENTION_FLOAT32
    (problem.batch, problem.queryHeadCount, problem.keyValueHeadCount) = (
      Int32(batch), Int32(heads), Int32(keyValueHeads)
    )
    (problem.queryLength, problem.keyLength, problem.headSize) = (Int32(queries), Int32(keys), Int32(headSize))
    problem.scale = scale ?? 1 / Float(headSize).squareRoot()
    problem.causal = mask.causal
    precondition(mask.window.map { $0 > 0 } ?? true, "attention: a window of \(mask.window!)")
    problem.window = Int32(mask.window ?? 0)
    if let lengths = mask.keyLengths {
      precondition(lengths.shape == [batch], "attention: key lengths \(lengths.shape) for a batch of \(batch)")
      problem.keyLengths = UnsafePointer(lengths.integers)
    }
    if let segments = mask.segments {
      precondition(
        segments.starts.shape == [batch, queries] && keys == queries,
        "attention: segments of \(segments.starts.shape) for queries [\(batch), \(queries)] and \(keys) keys")
      problem.segmentStarts = UnsafePointer(segments.starts.integers)
      problem.segmentEnds = UnsafePointer(segments.ends.integers)
      precondition(
        segments.gapStarts == nil || (mask.causal && mask.window == nil),
        "attention: segments that branch in attention that is not causal, or has a window")
      problem.gapStarts = segments.gapStarts.map { UnsafePointer($0.integers) }
      problem.gapEnds = segments.gapEnds.map { UnsafePointer($0.integers) }
    }
    if let bias = mask.bias {
      precondition(
        bias.rank == 4 && bias.shape[3] == keys
          && Shape.broadcast(bias.shape, [batch, heads, queries, keys]) == [batch, heads, queries, keys],
        "attention: bias \(bias.shape) does not broadcast to [\(batch), \(heads), \(queries), \(keys)]")
      let strides = bias.shape.strides
      problem.bias = UnsafePointer(bias.floats)
      problem.biasBatchStride = bias.shape[0] == 1 ? 0 : Int64(strides[0])
      problem.biasHeadStride = bias.shape[1] == 1 ? 0 : Int64(strides[1])
      problem.biasQueryStride = bias.shape[2] == 1 ? 0 : Int64(strides[2])
    }
    return problem
  }
}

/// softmax(scale · Q Kᵀ + bias, masked) V by the fused kernel; no gradient is recorded.
/// - Returns: out [B, Tq, H·D] in q's type, and the log-sum-exp of each query's scores, [B, H, Tq].
func attentionForward(
  _ sizes: AttentionSizes, q: HeadsView, k: HeadsView, v: HeadsView, mask: AttentionMask, scale: Float? = nil
) -> (out: Tensor, logSumExp: Tensor) {
  let out = Tensor(
    uninitialized: [sizes.batch, sizes.queries, sizes.heads * sizes.headSize], dtype: q.tensor.dtype)
  let logSumExp = Tensor(uninitialized: [sizes.batch, sizes.heads, sizes.queries])
  var problem = sizes.problem(q.tensor.dtype, mask, scale: scale)
  let view = HeadsView(heads: out.reshaped([sizes.batch, sizes.queries, sizes.heads, sizes.headSize]))
  nabla_attention_forward(
    &problem, q.input, k.input, v.input, view.output, logSumExp.floats, Int32(Threads.count))
  return (out, logSumExp)
}

/// The same, into existing memory.
func attentionForward(
  _ sizes: AttentionSizes, q: HeadsView, k: HeadsView, v: HeadsView, mask: AttentionMask, into out: HeadsView
) {
  var problem = sizes.problem(q.tensor.dtype, mask, scale: nil)
  nabla_attention_forward(&problem, q.input, k.input, v.input, out.output, nil, Int32(Threads.count))
}

extension Tensor {
  /// Scaled dot-product attention: softmax(scale · Q Kᵀ + bias, masked) V (Vaswani et al. 2017), in tiles with an
  /// online softmax, so that memory grows with T and not with T² (Dao 2023, "FlashAttention-2").
  ///
  /// Query head h reads key-value head h / (H/G): G = H is multi-head, 1 < G < H grouped-query (Ainslie et al. 2023),
  /// G = 1 multi-query attention (Shazeer 2019). A query that sees no key gives zeros.
  ///
  /// - Parameters:
  ///   - queries: [B, Tq, H, D], D ≤ 256; float32 or bfloat16.
  ///   - keys: [B, Tk, G, D], of the same type.
  ///   - values: [B, Tk, G, D], of the same type.
  ///   - mask: which keys a query sees: causal, windows, lengths, segments.
  ///   - scale: 1/√D if nil.
  /// - Returns: [B, Tq, H, D].
  public static func attention(
    queries: Tensor, keys: Tensor, values: Tensor, mask: AttentionMask = .none, scale: Float? = nil
  ) -> Tensor {
    let (q, k, v) = (queries.kernelInput, keys.kernelInput, values.kernelInput)
    let sizes = sizes(q, k, v)
    let (out, logSumExp) = attentionForward(
      sizes, q: .init(heads: q), k: .init(heads: k), v: .init(heads: v), mask: mask, scale: scale)
    let result = out.reshaped(q.shape)
    return result.recorded([queries, keys, values]) { dy, inputs in
      let (dq, dk, dv) = (q.uninitializedLike, k.uninitializedLike, v.uninitializedLike)
      backward(
        sizes, (.init(heads: q), .init(heads: k), .init(heads: v)), out: .init(heads: result), logSumExp,
        dout: .init(heads: dy.cast(q.dtype)), (.init(heads: dq), .init(heads: dk), .init(heads: dv)), mask, scale)
      inputs[0]?.accumulate(dq)
      inputs[1]?.accumulate(dk)
      inputs[2]?.accumulate(dv)
    }
  }

  /// Self-attention over the packed output of one projection, read and differentiated in place.
  /// self: [B, T, (H + 2G)·D], queries, keys and values side by side → [B, T, H·D].
  public func packedAttention(
    heads: Int, keyValueHeads: Int, mask: AttentionMask = .causal, scale: Float? = nil
  ) -> Tensor {
    let columns = heads + 2 * keyValueHeads
    precondition(
      rank == 3 && shape[2] % columns == 0,
      "packedAttention: \(heads) + 2 · \(keyValueHeads) heads in rows of shape \(shape)")
    let x = stopGradient().inComputeType
    let size = shape[2] / columns
    let sizes = AttentionSizes(
      batch: shape[0], heads: heads, keyValueHeads: keyValueHeads, queries: shape[1], keys: shape[1], headSize: size)
    @Sendable func views(_ packed: Tensor) -> (HeadsView, HeadsView, HeadsView) {
      func view(_ firstHead: Int) -> HeadsView {
        HeadsView(
          packed, start: firstHead * size, batchStride: packed.shape[1] * packed.shape[2],
          timeStride: packed.shape[2], headStride: size)
      }
      return (view(0), view(heads), view(heads + keyValueHeads))
    }
    let (q, k, v) = views(x)
    let (out, logSumExp) = attentionForward(sizes, q: q, k: k, v: v, mask: mask, scale: scale)
    return out.recorded(self) { dy, inputs in
      let dx = Tensor(uninitialized: x.shape, dtype: x.dtype)
      let heads = Shape([sizes.batch, sizes.queries, sizes.heads, size])
      Tensor.backward(
        sizes, views(x), out: .init(heads: out.reshaped(heads)), logSumExp,
        dout: .init(heads: dy.cast(x.dtype).reshaped(heads)), views(dx), mask, scale)
      inputs[0]?.accumulate(dx)
    }
  }

  /// The attention weights themselves, by the exact formula in float64: for inspection and as a reference in tests.
  /// Shapes as for `attention`. - Returns: [B, H, Tq, Tk] float32; each row sums to 1, or is 0 if it sees no key.
  public static func attentionWeights(
    queries: Tensor, keys: Tensor, mask: AttentionMask = .none, scale: Float? = nil
  ) -> Tensor {
    let (q, k) = (queries.stopGradient().cast(.float32), keys.stopGradient().cast(.float32))
    let sizes = sizes(q, k, k)
    var problem = sizes.problem(.float32, mask, scale: scale)
    let out = Tensor(uninitialized: q.shape, dtype: .float64)
    let weights = Tensor(
      uninitialized: [sizes.batch, sizes.heads, sizes.queries, sizes.keys], dtype: .float64)
    nabla_attention_reference(
      &problem, HeadsView(heads: q).input, HeadsView(heads: k).input, HeadsView(heads: k).input,
      out.pointer.assumingMemoryBound(to: Double.self), weights.pointer.assumingMemoryBound(to: Double.self), nil)
    return weights.cast(.float32)
  }

  private var kernelInput: Tensor { stopGradient().inComputeType }
  private var uninitializedLike: Tensor { Tensor(uninitialized: shape, dtype: dtype) }

  private static func sizes(_ q: Tensor, _ k: Tensor, _ v: Tensor) -> AttentionSizes {
    precondition(
      q.rank == 4 && k.shape == v.shape && k.rank == 4 && q.shape[0] == k.shape[0] && q.shape[3] == k.shape[3]
        && q.dtype == k.dtype && k.dtype == v.dtype,
      "attention: queries \(q.dtype) \(q.shape), keys \(k.dtype) \(k.shape), values \(v.dtype) \(v.shape)")
    return AttentionSizes(
      batch: q.shape[0], heads: q.shape[2], keyValueHeads: k.shape[2], queries: q.shape[1], keys: k.shape[1],
      headSize: q.shape[3])
  }

  private static func backward(
    _ sizes: AttentionSizes, _ inputs: (q: HeadsView, k: HeadsView, v: HeadsView), out: HeadsView,
    _ logSumExp: Tensor, dout: HeadsView, _ gradients: (q: HeadsView, k: HeadsView, v: HeadsView),
    _ mask: AttentionMask, _ scale: Float?
  ) {
    var problem = sizes.problem(inputs.q.tensor.dtype, mask, scale: scale)
    nabla_attention_backward(
      &problem, inputs.q.input, inputs.k.input, inputs.v.input, out.input, logSumExp.floats, dout.input,
      gradients.q.output, gradients.k.output, gradients.v.output, Int32(Threads.count))
  }
}

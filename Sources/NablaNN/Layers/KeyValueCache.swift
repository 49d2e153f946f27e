import NablaTensor

/// The keys and values of the positions a model has read, so that each new token costs one position's work
/// (and 2 · layers · G · D numbers of memory). All sequences of the batch have the same length.
public final class KeyValueCache {
  /// One layer's part.
  public final class Layer {
    /// [B, capacity, 2·G·D]: keys, then values, of each position. Written in place as positions come.
    private let store: Tensor
    private let capacity: Int
    public fileprivate(set) var length = 0

    fileprivate init(batch: Int, capacity: Int, width: Int, dtype: DType) {
      store = Tensor(uninitialized: [batch, capacity, 2 * width], dtype: dtype)
      self.capacity = capacity
    }

    /// Appends the keys and values of a packed projection [B, T, (H + 2G)·D] and attends to all so far: [B, T, H·D].
    func attend(_ packed: Tensor, _ c: AttentionConfiguration, _ mask: AttentionMask) -> Tensor {
      precondition(!Tensor.isRecording(packed), "a key-value cache is for generation: it carries no gradients")
      let (batch, time) = (packed.shape[0], packed.shape[1])
      precondition(
        length + time <= capacity && batch == store.shape[0],
        "key-value cache: \(time) more positions after \(length) of \(capacity), batch \(batch)")
      let packed = packed.cast(store.dtype)
      let (queryWidth, width) = (c.headCount * c.headSize, c.keyValueHeadCount * c.headSize)
      let size = store.dtype.size
      for b in 0..<batch {
        for t in 0..<time {
          let target = ((b * capacity) + length + t) * 2 * width
          let source = (b * time + t) * packed.shape[2] + queryWidth
          (store.pointer + target * size).copyMemory(from: packed.pointer + source * size, byteCount: 2 * width * size)
        }
      }
      length += time
      let sizes = AttentionSizes(
        batch: batch, heads: c.headCount, keyValueHeads: c.keyValueHeadCount, queries: time, keys: length,
        headSize: c.headSize)
      func stored(_ start: Int) -> HeadsView {
        HeadsView(
          store, start: start, batchStride: capacity * 2 * width, timeStride: 2 * width, headStride: c.headSize)
      }
      let q = HeadsView(
        packed, batchStride: time * packed.shape[2], timeStride: packed.shape[2], headStride: c.headSize)
      return attentionForward(sizes, q: q, k: stored(0), v: stored(width), mask: mask).out
    }
  }

  public let layers: [Layer]
  public let capacity: Int

  /// - Parameter dtype: float32 or bfloat16.
  public init(_ configuration: AttentionConfiguration, layers: Int, batch: Int, capacity: Int, dtype: DType = .float32)
  {
    let width = configuration.keyValueHeadCount * configuration.headSize
    self.capacity = capacity
    self.layers = (0..<layers).map { _ in Layer(batch: batch, capacity: capacity, width: width, dtype: dtype) }
  }

  /// Positions held.
  public var length: Int { layers.first?.length ?? 0 }

  /// Forgets the positions from `length` on.
  public func truncate(to length: Int) {
    precondition(length <= self.length, "key-value cache: cannot keep \(length) of \(self.length) positions")
    for layer in layers { layer.length = length }
  }
}

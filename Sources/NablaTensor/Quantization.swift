import CNablaKernels

// Block-quantized tensors: weights of 2 to 8 bits with scales, in the formats of ggml and its GGUF files.
//
// Such a tensor is a matrix [rows, columns] whose columns are a multiple of the block size; its storage holds the
// blocks of each row one after the other, which may be a part of a mapped file. It is frozen: `linear` and `gather`
// read it, and nothing is differentiated with respect to it.

extension DType {
  public var isQuantized: Bool {
    switch self {
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .nf4: true
    case .float32, .bfloat16, .float16, .float64, .int32, .uint8: false
    }
  }

  /// Whether `cast` can quantize to this block type. (Q2_K, Q3_K and Q5_K are read-only.)
  public var isQuantizationTarget: Bool {
    switch self {
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q4_K, .q6_K, .nf4: true
    default: false
    }
  }

  /// Elements that are stored together: 1, or 32, 64 or 256 in a block-quantized type.
  public var blockSize: Int {
    switch self {
    case .float32, .bfloat16, .float16, .float64, .int32, .uint8: 1
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0: 32
    case .nf4: NF4.block
    case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K: 256
    }
  }

  /// Bytes of `blockSize` elements (of NF4 without their scales).
  public var bytesPerBlock: Int {
    switch self {
    case .float32, .bfloat16, .float16, .float64, .int32, .uint8: size
    case .q4_0: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    case .q8_0: 34
    case .q2_K: 84
    case .q3_K: 110
    case .q4_K: 144
    case .q5_K: 176
    case .q6_K: 210
    case .nf4: NF4.block / 2
    }
  }

  /// Bytes of this many elements, which must be whole blocks.
  public func byteCount(of elements: Int) -> Int {
    let size = blockSize
    if size == 1 { return elements * bytesPerBlock }
    precondition(elements % size == 0, "\(elements) elements are not whole blocks of \(self), which hold \(size)")
    return elements / size * bytesPerBlock
  }

  /// Bits that an element takes on average, scales included.
  public var bitsPerElement: Double {
    Double(8 * bytesPerBlock) / Double(blockSize) + (self == .nf4 ? NF4.scaleBitsPerElement : 0)
  }

  var blockType: nabla_block_type {
    switch self {
    case .q4_0: NABLA_Q4_0
    case .q4_1: NABLA_Q4_1
    case .q5_0: NABLA_Q5_0
    case .q5_1: NABLA_Q5_1
    case .q8_0: NABLA_Q8_0
    case .q2_K: NABLA_Q2_K
    case .q3_K: NABLA_Q3_K
    case .q4_K: NABLA_Q4_K
    case .q5_K: NABLA_Q5_K
    case .q6_K: NABLA_Q6_K
    default: preconditionFailure("\(self) is not a block-quantized type")
    }
  }
}

extension Tensor {
  /// Dequantizes blocks, with the same bits as ggml's reference; then rounds to `target`.
  func dequantized(to target: DType) -> Tensor {
    let y = Tensor(uninitialized: shape, dtype: target)
    // In parts small enough that the intermediate float32 values stay in cache.
    let part = 4096
    parallelFor((count + part - 1) / part, grain: 4) { parts in
      for start in parts.lazy.map({ $0 * part }) {
        let n = Swift.min(part, count - start)
        let to = y.pointer + start * target.size
        if target == .float32 {
          dequantize(blocks: n / dtype.blockSize, from: start, to.assumingMemoryBound(to: Float.self))
        } else {
          let wide = Tensor(uninitialized: [n])
          dequantize(blocks: n / dtype.blockSize, from: start, wide.floats)
          let result = wide.cast(target)
          withExtendedLifetime(result) { to.copyMemory(from: result.pointer, byteCount: n * target.size) }
        }
      }
    }
    return y
  }

  /// The dequantized values of `blocks` blocks from element `start` on.
  private func dequantize(blocks: Int, from start: Int, _ y: UnsafeMutablePointer<Float>) {
    if dtype == .nf4 { return dequantizeNF4(blocks: blocks, from: start, y) }
    nabla_dequantize(dtype.blockType, Int64(blocks), pointer + dtype.byteCount(of: start), y)
  }

  /// A float32 tensor quantized to blocks.
  func quantized(to target: DType) -> Tensor {
    let size = target.blockSize
    precondition(target.isQuantizationTarget, "cast: cannot quantize to \(target), which is read-only")
    precondition(
      (shape.last ?? 1) % size == 0, "cast: rows of \(shape) are not whole blocks of \(target), which hold \(size)")
    if target == .nf4 { return quantizedToNF4() }
    let y = Tensor(uninitialized: shape, dtype: target)
    parallelFor(count / size, grain: Swift.max(1024 / size, 1)) { blocks in
      _ = nabla_quantize(
        target.blockType, Int64(blocks.count), floats + blocks.lowerBound * size,
        y.pointer + blocks.lowerBound * target.bytesPerBlock)
    }
    return y
  }

  /// The rows at `indices`, in float32: [indices.count, columns].
  func dequantizedRows(_ indices: Tensor) -> Tensor {
    let width = count / Swift.max(shape[0], 1)
    let y = Tensor(uninitialized: [indices.count, width])
    parallelFor(indices.count, grain: Swift.max(elementGrain / Swift.max(width, 1), 1)) { part in
      for i in part {
        dequantize(blocks: width / dtype.blockSize, from: Int(indices.integers[i]) * width, y.floats + i * width)
      }
    }
    return y
  }
}

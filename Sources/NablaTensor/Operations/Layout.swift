import CNablaKernels

// Reshaping, slicing and indexing: the values are unchanged.
extension Tensor {
  /// The same elements in another shape; one size may be -1, which is inferred. Shares memory.
  public func reshaped(_ sizes: [Int]) -> Tensor {
    var sizes = sizes
    if let unknown = sizes.firstIndex(of: -1) {
      let known = sizes.reduce(1) { $1 == -1 ? $0 : $0 * $1 }
      precondition(known > 0 && count % known == 0, "reshaped: \(shape) does not fit \(sizes)")
      sizes[unknown] = count / known
    }
    return reshaped(Shape(sizes))
  }

  public func reshaped(_ target: Shape) -> Tensor {
    if target == shape { return self }
    precondition(
      target.elementCount == count, "reshaped: \(shape) has \(count) elements, \(target) has \(target.elementCount)")
    let original = shape
    return Tensor(storage: storage, offset: offset, shape: target, dtype: dtype).recorded(self) { dy, inputs in
      inputs[0]?.accumulate(dy.reshaped(original))
    }
  }

  /// A dimension of size 1 inserted at `axis`.
  public func expandedDimension(at axis: Int) -> Tensor {
    var sizes = Array(shape)
    sizes.insert(1, at: axis < 0 ? axis + rank + 1 : axis)
    return reshaped(Shape(sizes))
  }

  /// Dimensions in another order: result dimension i is dimension axes[i] of this tensor. Copies.
  public func transposed(_ axes: Int...) -> Tensor { permuted(axes) }

  /// The last two dimensions swapped.
  public func transposed() -> Tensor {
    precondition(rank >= 2, "transposed: shape \(shape) has fewer than two dimensions")
    return permuted(Array(0..<rank - 2) + [rank - 1, rank - 2])
  }

  public func permuted(_ axes: [Int]) -> Tensor {
    precondition(
      axes.sorted() == Array(0..<rank), "transposed: \(axes) is not a permutation of the axes of shape \(shape)")
    let own = shape.strides
    let result = Shape(axes.map { shape[$0] })
    let y = Tensor(uninitialized: result, dtype: dtype)
    let sizes = result.map(Int64.init)
    let strides = axes.map { Int64(own[$0]) }
    if rank == 0 || count == 0 { return reshaped(result) }
    parallelFor(result[0], grain: Swift.max(elementGrain * result[0] / count, 1)) { part in
      nabla_permute(
        Int32(rank), sizes, strides, Int64(dtype.size), Int64(part.lowerBound), Int64(part.upperBound), pointer,
        y.pointer)
    }
    var inverse = Array(repeating: 0, count: rank)
    for (i, axis) in axes.enumerated() { inverse[axis] = i }
    return y.recorded(self) { [inverse] dy, inputs in inputs[0]?.accumulate(dy.permuted(inverse)) }
  }

  /// Elements `range` of the first dimension. Shares memory.
  public subscript(range: Range<Int>) -> Tensor { slice(range, axis: 0) }
  /// Element `index` of the first dimension, which is dropped. Shares memory.
  public subscript(index: Int) -> Tensor { slice(index..<index + 1, axis: 0).reshaped(shape.removing(0)) }

  /// Elements `range` of dimension `axis`.
  public func slice(_ range: Range<Int>, axis: Int) -> Tensor {
    let dimension = shape.dimension(axis, for: "slice")
    let (outer, n, inner) = shape.split(at: dimension)
    precondition(
      range.lowerBound >= 0 && range.upperBound <= n, "slice: \(range) of axis \(axis) of shape \(shape)")
    if range == 0..<n { return self }
    let result = shape.replacing(dimension, with: range.count)
    let full = shape
    let y: Tensor
    if outer == 1 {
      y = Tensor(storage: storage, offset: offset + range.lowerBound * inner, shape: result, dtype: dtype)
    } else {
      y = Tensor(uninitialized: result, dtype: dtype)
      y.copyBlocks(
        outer, range.count * inner, to: (0, range.count * inner), from: self, (range.lowerBound * inner, n * inner))
    }
    return y.recorded(self) { dy, inputs in
      let dx = Tensor.zeros(full, dtype: dy.dtype)
      dx.copyBlocks(
        outer, dy.count / Swift.max(outer, 1), to: (range.lowerBound * inner, n * inner), from: dy,
        (0, dy.count / Swift.max(outer, 1)))
      inputs[0]?.accumulate(dx)
    }
  }

  /// Parts of the given sizes along `axis`.
  public func split(_ sizes: [Int], axis: Int) -> [Tensor] {
    let dimension = shape.dimension(axis, for: "split")
    precondition(sizes.reduce(0, +) == shape[dimension], "split: sizes \(sizes) of axis \(axis) of shape \(shape)")
    var start = 0
    return sizes.map { size in
      defer { start += size }
      return slice(start..<start + size, axis: dimension)
    }
  }

  /// Tensors one after the other along `axis`.
  public static func concatenate(_ parts: [Tensor], axis: Int = 0) -> Tensor {
    precondition(!parts.isEmpty, "concatenate: no tensors")
    let first = parts[0]
    let dimension = first.shape.dimension(axis, for: "concatenate")
    let sizes = parts.map { part in
      precondition(
        part.dtype == first.dtype && part.shape.removing(dimension) == first.shape.removing(dimension)
          && part.rank == first.rank,
        "concatenate along axis \(axis): \(part.dtype) \(part.shape) does not fit \(first.dtype) \(first.shape)")
      return part.shape[dimension]
    }
    let y = Tensor(uninitialized: first.shape.replacing(dimension, with: sizes.reduce(0, +)), dtype: first.dtype)
    let (outer, n, inner) = y.shape.split(at: dimension)
    var start = 0
    for (part, size) in zip(parts, sizes) {
      y.copyBlocks(outer, size * inner, to: (start * inner, n * inner), from: part, (0, size * inner))
      start += size
    }
    return y.recorded(parts) { dy, inputs in
      for (input, part) in zip(inputs, dy.split(sizes, axis: dimension)) { input?.accumulate(part) }
    }
  }

  /// Tensors of one shape along a new first dimension.
  public static func stack(_ parts: [Tensor]) -> Tensor {
    concatenate(parts.map { $0.expandedDimension(at: 0) })
  }

  /// Copies `blocks` runs of `length` elements; the runs start at (first, step) in each tensor.
  private func copyBlocks(
    _ blocks: Int, _ length: Int, to: (first: Int, step: Int), from source: Tensor, _ from: (first: Int, step: Int)
  ) {
    let bytes = dtype.byteCount(of:)
    parallelFor(blocks, grain: Swift.max(elementGrain / Swift.max(length, 1), 1)) { part in
      for block in part {
        (pointer + bytes(to.first + block * to.step))
          .copyMemory(from: source.pointer + bytes(from.first + block * from.step), byteCount: bytes(length))
      }
    }
  }
}

// MARK: Rows by index

extension Tensor {
  /// Rows of this tensor by number: [n, ...] with indices [...] int32 → [..., ...]. This is also the embedding lookup.
  /// Gradients of repeated indices are summed. Rows of block-quantized tensors are returned in float32.
  public func gather(_ indices: Tensor) -> Tensor {
    precondition(rank >= 1 && indices.dtype == .int32, "gather: int32 indices into rows of \(shape)")
    let rows = shape[0]
    let width = count / Swift.max(rows, 1)
    for i in 0..<indices.count {
      let index = indices.integers[i]
      precondition(index >= 0 && index < rows, "gather: index \(index) at position \(i) is outside 0..<\(rows)")
    }
    let result = Shape(Array(indices.shape) + Array(shape.dropFirst()))
    if dtype.isQuantized { return dequantizedRows(indices).reshaped(result) }
    let y = Tensor(uninitialized: result, dtype: dtype)
    let bytes = width * dtype.size
    parallelFor(indices.count, grain: Swift.max(elementGrain / Swift.max(width, 1), 1)) { part in
      nabla_gather_rows(
        Int64(part.count), Int64(bytes), indices.integers + part.lowerBound, pointer,
        y.pointer + part.lowerBound * bytes)
    }
    return y.recorded(self) { dy, inputs in
      let dy = dy.cast(.float32)
      inputs[0]?.accumulate(inPlace: { target, adds in
        if !adds { target.fillZero() }
        target.addRows(dy, at: indices)
      })
    }
  }

  /// This tensor with rows added: result[indices[i]] += rows[i]. self: [n, ...], indices: [m] int32, rows: [m, ...].
  public func scatterAdd(_ indices: Tensor, _ rows: Tensor) -> Tensor {
    precondition(
      indices.dtype == .int32 && rows.count * Swift.max(shape[0], 1) == indices.count * count,
      "scatterAdd: rows of shape \(rows.shape) at \(indices.count) indices of shape \(shape)")
    let y = cast(.float32).copy()
    y.addRows(rows.stopGradient().cast(.float32), at: indices)
    let rowsShape = rows.shape
    return y.recorded(self, rows) { dy, inputs in
      inputs[0]?.accumulate(dy)
      inputs[1]?.accumulate(dy.gather(indices).reshaped(rowsShape))
    }
  }

  /// In each row of the last dimension, the element at its index. [..., n], [...] int32 → [...].
  public func gatherLast(_ indices: Tensor) -> Tensor {
    let n = shape.last!
    precondition(indices.count * n == count, "gatherLast: indices of shape \(indices.shape) into \(shape)")
    precondition(count <= Int(Int32.max), "gatherLast: \(shape) has more than 2³¹ elements")
    let flat = Tensor(
      (0..<indices.count).map { row in
        let index = Int(indices.integers[row])
        precondition(index >= 0 && index < n, "gatherLast: index \(index) in row \(row) is outside 0..<\(n)")
        return Int32(row * n + index)
      })
    return reshaped([count, 1]).gather(flat).reshaped(indices.shape)
  }

  func fillZero() { pointer.initializeMemory(as: UInt8.self, repeating: 0, count: count * dtype.size) }

  /// Columns are divided among threads, so each sum is computed by one thread in row order.
  private func addRows(_ rows: Tensor, at indices: Tensor) {
    let width = count / Swift.max(shape[0], 1)
    for i in 0..<indices.count {
      let index = indices.integers[i]
      precondition(index >= 0 && index < shape[0], "scatterAdd: index \(index) is outside 0..<\(shape[0])")
    }
    parallelFor(width, grain: Swift.max(64, elementGrain / Swift.max(indices.count, 1))) { columns in
      nabla_scatter_add_rows(
        Int64(indices.count), Int64(width), Int64(columns.lowerBound), Int64(columns.upperBound), indices.integers,
        rows.floats, floats)
    }
  }
}

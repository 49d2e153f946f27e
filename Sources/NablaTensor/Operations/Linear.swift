import CNablaKernels

extension Tensor {
  /// Several linear layers with the same input, their outputs side by side: yᵢ = x·Wᵢᵀ + bᵢ.
  ///
  /// - Parameters:
  ///   - weights: Wᵢ: [outᵢ, in]. float32, read in bfloat16 where self is bfloat16; or frozen in a smaller
  ///     type (block-quantized, bfloat16, float16), which is read a tile at a time. See `LinearWeight`.
  ///   - biases: bᵢ: [outᵢ], or nil. All or none.
  ///   - residual: added to the result, in float32: [..., Σ outᵢ].
  ///   - output: the result's type: self's, or float32 with a residual.
  /// - Returns: [..., Σ outᵢ] for self [..., in].
  public func linear(
    _ weights: [Tensor], biases: [Tensor]? = nil, residual: Tensor? = nil, output: DType? = nil
  ) -> Tensor {
    let inputs = shape.last!
    for weight in weights {
      precondition(
        weight.rank == 2 && weight.shape[1] == inputs, "linear: weight \(weight.shape) for an input of shape \(shape)")
    }
    let widths = weights.map { $0.shape[0] }
    let width = widths.reduce(0, +)
    let rows = shape.dropLast().reduce(1, *)
    let x = stopGradient().inComputeType
    let constants = weights.map { LinearWeight($0, for: x.dtype) }
    let resultShape = shape.replacing(rank - 1, with: width)
    let resultType = residual == nil ? output ?? x.dtype : .float32
    if let residual {
      precondition(residual.shape == resultShape, "linear: residual \(residual.shape) for a result of \(resultShape)")
    }
    let y = constants.multiply(
      x, rows: rows, biases: biases?.map { $0.stopGradient().cast(.float32) },
      residual: residual?.stopGradient().cast(.float32), shape: resultShape, type: resultType
    ).cast(resultType)
    guard nabla_recording_disabled() == 0,
      node != nil || residual?.node != nil || weights.contains(where: { $0.node != nil })
        || biases?.contains(where: { $0.node != nil }) == true
    else { return y }
    let count = weights.count
    // For frozen weights nothing is saved.
    let (inputShape, type) = (x.shape, x.dtype)
    let keptInput = weights.contains { $0.node != nil } ? x : nil
    return y.recorded([self] + (residual.map { [$0] } ?? []) + weights + (biases ?? [])) { dy, nodes in
      var next = 0
      func take() -> Node? {
        defer { next += 1 }
        return nodes[next]
      }
      let input = take()
      if residual != nil { take()?.accumulate(dy) }
      let dy = dy.cast(type)
      if let input {
        // Stored weights accumulate tile by tile, which bfloat16 would round each time.
        let dx = Tensor(uninitialized: inputShape, dtype: constants.contains(where: \.isStored) ? .float32 : type)
        var start = 0
        for (i, weight) in constants.enumerated() {
          weight.multiplyTransposed(dy, from: start, rowStride: width, rows: rows, into: dx, accumulating: i > 0)
          start += widths[i]
        }
        input.accumulate(dx)
      }
      var start = 0
      for i in 0..<count {
        let first = start
        // dW = dYᵀ·X, accumulated into the gradient.
        take()?.accumulate(inPlace: { target, adds in
          MatrixProduct(m: widths[i], n: inputs, k: rows).run(
            .columns(dy, from: first, rowStride: width, transposed: true), .matrix(keptInput!), into: target,
            accumulating: adds)
        })
        start += widths[i]
      }
      if next < nodes.count {
        let sums = dy.reshaped([rows, width]).columnSums()
        var start = 0
        for i in 0..<count {
          take()?.accumulate(sums[start..<start + widths[i]])
          start += widths[i]
        }
      }
    }
  }

  /// One linear layer: x·Wᵀ + b.
  public func linear(
    _ weight: Tensor, bias: Tensor? = nil, residual: Tensor? = nil, output: DType? = nil
  ) -> Tensor {
    linear([weight], biases: bias.map { [$0] }, residual: residual, output: output)
  }

  /// [rows, width] → [width] float32. Columns are divided among threads.
  private func columnSums() -> Tensor {
    let (rows, width) = (shape[0], shape[1])
    let y = Tensor.zeros([width])
    parallelFor(width, grain: Swift.max(64, elementGrain / Swift.max(rows, 1))) { columns in
      let (first, last) = (Int64(columns.lowerBound), Int64(columns.upperBound))
      if dtype == .bfloat16 {
        nabla_sum_columns_bfloat16(Int64(rows), Int64(width), first, last, halves, y.floats)
      } else {
        nabla_sum_columns(Int64(rows), Int64(width), first, last, floats, y.floats)
      }
    }
    return y
  }

  /// A parameter in the compute type of matrix multiplications. The bfloat16 copy of a float32 parameter is made once
  /// and refreshed by the optimizer as it steps.
  package func computeCopy(_ type: DType) -> Tensor {
    guard type == .bfloat16 && dtype == .float32 else { return cast(type) }
    // A slice of a tensor has no copy of its own: the storage's copy is that of the whole.
    guard storage.bytes == count * dtype.size else { return cast(type) }
    if let copy = storage.bfloat16Copy { return Tensor(storage: copy, shape: shape, dtype: .bfloat16) }
    let copy = cast(.bfloat16)
    storage.bfloat16Copy = copy.storage
    return copy
  }
}

import CNablaKernels

extension Tensor {
  /// Several linear layers with the same input, their outputs side by side: yᵢ = x·Wᵢᵀ + bᵢ, plus sᵢ·(x·Aᵢᵀ)·Bᵢᵀ where
  /// a layer has a low-rank update. For frozen weights nothing is saved.
  ///
  /// - Parameters:
  ///   - weights: Wᵢ: [outᵢ, in]. float32, read in bfloat16 where self is bfloat16; or frozen in a smaller
  ///     type (block-quantized, bfloat16, float16), which is read a tile at a time. See `LinearWeight`.
  ///   - biases: bᵢ: [outᵢ], or nil. All or none.
  ///   - updates: of each weight, which is then frozen, or nil; empty for none.
  ///   - updateInput: what the updates read, of x's shape: x after dropout; nil for x itself.
  ///   - residual: added to the result, in float32: [..., Σ outᵢ].
  ///   - output: the result's type: self's, or float32 with a residual.
  /// - Returns: [..., Σ outᵢ] for self [..., in].
  public func linear(
    _ weights: [Tensor], biases: [Tensor]? = nil, updates: [LowRankUpdate?] = [], updateInput: Tensor? = nil,
    residual: Tensor? = nil, output: DType? = nil
  ) -> Tensor {
    let inputs = shape.last!
    for weight in weights {
      precondition(
        weight.rank == 2 && weight.shape[1] == inputs, "linear: weight \(weight.shape) for an input of shape \(shape)")
    }
    for (i, update) in updates.enumerated() where update != nil {
      precondition(
        weights[i].node == nil && biases?[i].node == nil,
        "linear: the weight of a layer with a low-rank update must be frozen")
    }
    let widths = weights.map { $0.shape[0] }
    let width = widths.reduce(0, +)
    precondition(
      biases.map { $0.count == widths.count && zip($0, widths).allSatisfy { $0.shape == [$1] } } ?? true,
      "linear: biases of shapes \(biases!.map(\.shape)) for weights of shapes \(weights.map(\.shape))")
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
      residual: residual?.stopGradient().cast(.float32), shape: resultShape, type: resultType)
    let lowRank = LowRankProduct(updates, widths: widths, inputs: inputs, type: x.dtype)
    precondition(updateInput.map { $0.shape == shape } ?? true, "linear: another shape for the updates")
    let z = updateInput?.stopGradient().cast(x.dtype) ?? x
    let h = lowRank?.narrow(z, rows: rows)
    lowRank?.add(h!, to: y, rows: rows, width: width)
    let result = y.cast(resultType)
    guard nabla_recording_disabled() == 0 else { return result }

    let factors = updates.compactMap { $0 }.map { (down: $0.down.node, up: $0.up.node) }
    let (ownNode, residualNode) = (node, residual?.node)
    let updateNode = lowRank == nil ? nil : updateInput == nil ? ownNode : updateInput!.node
    let layerNodes = weights.map(\.node) + (biases ?? []).map(\.node)
    let needsInput = weights.contains { $0.node != nil } || factors.contains { $0.down != nil }
    let keptInput = needsInput ? (weights.contains { $0.node != nil } ? x : z) : nil
    precondition(
      updateInput == nil || !weights.contains { $0.node != nil }, "linear: an input of updates beside trained weights")
    let (inputShape, type, count) = (x.shape, x.dtype, weights.count)
    return result.recorded(
      nodes: [ownNode, updateNode, residualNode] + layerNodes + factors.flatMap { [$0.down, $0.up] }
    ) { dy, nodes in
      nodes[2]?.accumulate(dy)
      let dy = dy.cast(type)
      let (weightNodes, biasNodes) = (nodes[3..<3 + count], nodes[(3 + count)...].prefix(layerNodes.count - count))
      let factorNodes = Array(nodes.dropFirst(3 + layerNodes.count))

      let needsNarrow =
        nodes[1] != nil || stride(from: 0, to: factorNodes.count, by: 2).contains { factorNodes[$0] != nil }
      let dh = needsNarrow ? lowRank?.narrowGradient(dy, rows: rows, width: width) : nil
      for i in 0..<factorNodes.count / 2 {
        lowRank!.factorGradients(
          i, down: factorNodes[2 * i], up: factorNodes[2 * i + 1], x: keptInput, h: h!, dy: dy, dh: dh, rows: rows,
          width: width)
      }
      // Stored weights accumulate tile by tile, which bfloat16 would round each time.
      func gradient() -> Tensor {
        Tensor(uninitialized: inputShape, dtype: constants.contains(where: \.isStored) ? .float32 : type)
      }
      if let input = nodes[0] {
        let dx = gradient()
        var start = 0
        for (i, weight) in constants.enumerated() {
          weight.multiplyTransposed(dy, from: start, rowStride: width, rows: rows, into: dx, accumulating: i > 0)
          start += widths[i]
        }
        if updateInput == nil, let dh { lowRank!.inputGradient(dh, rows: rows, into: dx, accumulating: true) }
        input.accumulate(dx)
      }
      if updateInput != nil, let input = nodes[1] {
        let dz = gradient()
        lowRank!.inputGradient(dh!, rows: rows, into: dz, accumulating: false)
        input.accumulate(dz)
      }
      var start = 0
      for (i, weight) in weightNodes.enumerated() {
        let first = start
        // dW = dYᵀ·X, accumulated into the gradient.
        weight?.accumulate(inPlace: { target, adds in
          MatrixProduct(m: widths[i], n: inputs, k: rows).run(
            .columns(dy, from: first, rowStride: width, transposed: true), .matrix(keptInput!), into: target,
            accumulating: adds)
        })
        start += widths[i]
      }
      if biasNodes.contains(where: { $0 != nil }) {
        let sums = dy.reshaped([rows, width]).columnSums()
        var start = 0
        for (i, bias) in biasNodes.enumerated() {
          bias?.accumulate(sums[start..<start + widths[i]])
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

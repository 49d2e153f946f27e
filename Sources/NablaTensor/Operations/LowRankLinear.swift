import CNablaKernels

extension Tensor {
  /// A linear layer with a low-rank update of its weight (Hu et al. 2021): y = x·Wᵀ + b + s·(z·Aᵀ)·Bᵀ.
  ///
  /// The update is never multiplied out: it costs r·(in + out) multiplications per row. Where W is frozen nothing is
  /// saved for it, and the gradient flows through it to x only.
  ///
  /// - Parameters:
  ///   - weight: W: [out, in], as `linear` takes it.
  ///   - bias: b: [out] or nil.
  ///   - down: A: [r, in].
  ///   - up: B: [out, r].
  ///   - scale: s.
  ///   - lowRankInput: z, of x's shape and type: x after dropout; nil for x itself.
  ///   - residual: added to the result, in float32: [..., out].
  ///   - output: the result's type: x's, or float32 with a residual.
  /// - Returns: [..., out] for x [..., in].
  public func linear(
    _ weight: Tensor, bias: Tensor? = nil, down: Tensor, up: Tensor, scale: Float, lowRankInput: Tensor? = nil,
    residual: Tensor? = nil, output: DType? = nil
  ) -> Tensor {
    let (inputs, outputs, rank) = (shape.last!, weight.shape[0], down.shape[0])
    precondition(
      weight.shape == [outputs, inputs] && down.shape == [rank, inputs] && up.shape == [outputs, rank]
        && lowRankInput.map { $0.shape == shape } ?? true,
      "linear: weight \(weight.shape) with a low-rank update \(up.shape) · \(down.shape) for an input of shape \(shape)"
    )
    precondition(
      weight.node == nil && bias?.node == nil, "linear: the weight of a layer with a low-rank update must be frozen")
    let rows = shape.dropLast().reduce(1, *)
    let resultShape = shape.replacing(self.rank - 1, with: outputs)
    if let residual {
      precondition(residual.shape == resultShape, "linear: residual \(residual.shape) for a result of \(resultShape)")
    }
    let x = stopGradient().inComputeType
    let z = lowRankInput?.stopGradient().cast(x.dtype) ?? x
    let (w, a) = (LinearWeight(weight, for: x.dtype), LinearWeight(down, for: x.dtype))
    let b = up.stopGradient().computeCopy(x.dtype)
    let resultType = residual == nil ? output ?? x.dtype : .float32

    // h = s·z·Aᵀ, and y += h·Bᵀ in place.
    let narrow = Tensor(uninitialized: [rows, rank])
    a.multiply(z, rows: rows, into: narrow)
    let h = narrow.scaledShifted(scale, 0).cast(x.dtype)
    let y = [w].multiply(
      x, rows: rows, biases: bias.map { [$0.cast(.float32)] }, residual: residual?.stopGradient().cast(.float32),
      shape: resultShape, type: resultType)
    MatrixProduct(m: rows, n: outputs, k: rank).run(
      .matrix(h), .matrix(b, transposed: true), into: y, accumulating: true)

    // dB = dyᵀ·h;  dh = s·dy·B;  dA = dhᵀ·z;  dz = dh·A;  dx = dy·W.
    let keptInput = down.node == nil ? nil : z
    let (inputShape, type) = (shape, x.dtype)
    return y.cast(resultType).recorded(
      nodes: [node, lowRankInput == nil ? node : lowRankInput?.node, residual?.node, down.node, up.node]
    ) { dy, nodes in
      nodes[2]?.accumulate(dy)
      let dy = dy.cast(type)
      nodes[4]?.accumulate(inPlace: { target, adds in
        MatrixProduct(m: outputs, n: rank, k: rows).run(
          .matrix(dy, transposed: true), .matrix(h), into: target, accumulating: adds)
      })
      guard nodes[0] != nil || nodes[1] != nil || nodes[3] != nil else { return }
      let narrow = Tensor(uninitialized: [rows, rank])
      MatrixProduct(m: rows, n: rank, k: outputs).run(.matrix(dy), .matrix(b), into: narrow)
      let dh = narrow.scaledShifted(scale, 0).cast(type)
      if let keptInput {
        nodes[3]?.accumulate(inPlace: { target, adds in
          MatrixProduct(m: rank, n: inputs, k: rows).run(
            .matrix(dh, transposed: true), .matrix(keptInput), into: target, accumulating: adds)
        })
      }
      func gradient() -> Tensor { Tensor(uninitialized: inputShape, dtype: w.isStored ? .float32 : type) }
      if lowRankInput == nil {
        guard let input = nodes[0] else { return }
        let dx = gradient()
        w.multiplyTransposed(dy, rows: rows, into: dx)
        a.multiplyTransposed(dh, rows: rows, into: dx, accumulating: true)
        input.accumulate(dx)
      } else {
        if let input = nodes[0] {
          let dx = gradient()
          w.multiplyTransposed(dy, rows: rows, into: dx)
          input.accumulate(dx)
        }
        if let input = nodes[1] {
          let dz = gradient()
          a.multiplyTransposed(dh, rows: rows, into: dz)
          input.accumulate(dz)
        }
      }
    }
  }
}

import CNablaKernels

extension Tensor {
  /// Layer normalization over the last dimension (Ba et al. 2016): (x - mean)/√(variance + ε) · weight + bias.
  ///
  /// - Parameters:
  ///   - weight: [n], or nil for 1.
  ///   - bias: [n], or nil for 0.
  ///   - epsilon: ε.
  ///   - output: float32, or bfloat16 to feed a matrix multiplication in that type without a cast.
  public func layerNorm(
    weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Float = 1e-5, output: DType = .float32
  ) -> Tensor {
    normalized(centered: true, weight: weight, bias: bias, epsilon: epsilon, output: output)
  }

  /// Root-mean-square normalization over the last dimension (Zhang & Sennrich 2019): x/√(mean(x²) + ε) · weight.
  public func rmsNorm(weight: Tensor? = nil, epsilon: Float = 1e-5, output: DType = .float32) -> Tensor {
    normalized(centered: false, weight: weight, bias: nil, epsilon: epsilon, output: output)
  }

  private func normalized(
    centered: Bool, weight: Tensor?, bias: Tensor?, epsilon: Float, output: DType
  ) -> Tensor {
    let n = shape.last!
    // The kernels add a bias only beside a weight.
    let weight = weight ?? bias.map { _ in Tensor.ones([n]) }
    precondition(weight.map { $0.shape == [n] } ?? true, "norm: weight \(weight!.shape) for rows of shape \(shape)")
    precondition(bias.map { $0.shape == [n] } ?? true, "norm: bias \(bias!.shape) for shape \(shape)")
    precondition(output == .float32 || output == .bfloat16, "norm: output in \(output)")
    let x = stopGradient().cast(.float32)
    let rows = count / Swift.max(n, 1)
    let statistics = Tensor(uninitialized: [2, rows])
    let (mean, rstd) = (statistics.floats, statistics.floats + rows)
    let (w, b) = (weight?.stopGradient(), bias?.stopGradient())
    let y = Tensor(uninitialized: shape, dtype: output)
    parallelFor(rows, grain: rowGrain(n)) { part in
      let (r, m) = (part.lowerBound, Int64(part.count))
      if output == .bfloat16 {
        nabla_norm_to_bfloat16(
          centered ? 1 : 0, m, Int64(n), x.floats + r * n, w?.floats, b?.floats, epsilon, y.halves + r * n, mean + r,
          rstd + r)
      } else {
        nabla_norm(
          centered ? 1 : 0, m, Int64(n), x.floats + r * n, w?.floats, b?.floats, epsilon, y.floats + r * n, mean + r,
          rstd + r)
      }
    }
    return y.recorded([self] + (weight.map { [$0] } ?? []) + (bias.map { [$0] } ?? [])) { dy, inputs in
      let weightNode = w == nil ? nil : inputs[1]
      let biasNode = b == nil ? nil : inputs[2]
      let (mean, rstd) = (statistics.floats, statistics.floats + rows)
      let dx = Tensor(uninitialized: x.shape)
      // A fixed number of partial sums, whatever the threads, so that the gradients have the same bits.
      let parts = Swift.min(16, Swift.max(rows / 8, 1))
      let partial = Tensor.zeros([2, parts, n])
      parallelFor(parts, grain: 1) { range in
        for part in range {
          let (first, last) = (rows * part / parts, rows * (part + 1) / parts)
          let (m, r) = (Int64(last - first), first)
          let dweight = weightNode == nil ? nil : partial.floats + part * n
          let dbias = biasNode == nil ? nil : partial.floats + (parts + part) * n
          if dy.dtype == .bfloat16 {
            nabla_norm_backward_from_bfloat16(
              centered ? 1 : 0, m, Int64(n), x.floats + r * n, w?.floats, mean + r, rstd + r, dy.halves + r * n,
              dx.floats + r * n, dweight, dbias)
          } else {
            nabla_norm_backward(
              centered ? 1 : 0, m, Int64(n), x.floats + r * n, w?.floats, mean + r, rstd + r, dy.floats + r * n,
              dx.floats + r * n, dweight, dbias)
          }
        }
      }
      inputs[0]?.accumulate(dx)
      weightNode?.accumulate(partial[0].sum(axis: 0))
      biasNode?.accumulate(partial[1].sum(axis: 0))
    }
  }
}

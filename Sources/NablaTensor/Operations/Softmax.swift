import CNablaKernels

// Over the last dimension. The largest element is subtracted first, so that no exponential overflows.
extension Tensor {
  /// exp(xᵢ) / Σ exp(xⱼ). A row of -infinity gives zeros.
  public func softmax() -> Tensor {
    let y = rowwise(nabla_softmax)
    return y.recorded(self) { dy, inputs in inputs[0]?.accumulate(y.rowwise(with: dy, nabla_softmax_backward)) }
  }

  /// xᵢ - ln Σ exp(xⱼ). A row of -infinity stays one.
  public func logSoftmax() -> Tensor {
    let y = rowwise(nabla_log_softmax)
    return y.recorded(self) { dy, inputs in inputs[0]?.accumulate(y.rowwise(with: dy, nabla_log_softmax_backward)) }
  }

  /// ln Σ exp(xⱼ): [..., n] → [...].
  public func logSumExp() -> Tensor {
    let x = stopGradient().cast(.float32)
    let n = shape.last!
    let y = Tensor(uninitialized: shape.removing(rank - 1))
    parallelFor(y.count, grain: rowGrain(n)) { rows in
      nabla_log_sum_exp(Int64(rows.count), Int64(n), x.floats + rows.lowerBound * n, y.floats + rows.lowerBound)
    }
    return y.recorded(self) { dy, inputs in
      inputs[0]?.accumulate(x.softmax() * dy.expandedDimension(at: -1))
    }
  }

  private func rowwise(
    _ kernel: (Int64, Int64, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?) -> Void
  ) -> Tensor {
    let x = stopGradient().cast(.float32)
    let n = shape.last!
    let y = Tensor(uninitialized: shape)
    parallelFor(n == 0 ? 0 : count / n, grain: rowGrain(n)) { rows in
      kernel(Int64(rows.count), Int64(n), x.floats + rows.lowerBound * n, y.floats + rows.lowerBound * n)
    }
    return y
  }

  private func rowwise(
    with dy: Tensor,
    _ kernel: (Int64, Int64, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?) -> Void
  ) -> Tensor {
    let dy = dy.cast(.float32)
    let n = shape.last!
    let dx = Tensor(uninitialized: shape)
    parallelFor(n == 0 ? 0 : count / n, grain: rowGrain(n)) { rows in
      let first = rows.lowerBound * n
      kernel(Int64(rows.count), Int64(n), floats + first, dy.floats + first, dx.floats + first)
    }
    return dx
  }
}

/// Rows of `n` elements that a thread takes at once.
package func rowGrain(_ n: Int) -> Int { max(elementGrain / 4 / max(n, 1), 1) }

import CNablaKernels

// Elementwise functions. Each backward is dx = dy · f'(x), with f' next to f in the kernel.
extension Tensor {
  public func exp() -> Tensor { unary(NABLA_EXP) }
  /// Natural logarithm.
  public func log() -> Tensor { unary(NABLA_LOG) }
  public func squareRoot() -> Tensor { unary(NABLA_SQRT) }
  public func reciprocal() -> Tensor { unary(NABLA_RECIPROCAL) }
  public func square() -> Tensor { unary(NABLA_SQUARE) }
  /// |x|; the gradient at 0 is 0.
  public func abs() -> Tensor { unary(NABLA_ABS) }
  public func sin() -> Tensor { unary(NABLA_SIN) }
  public func cos() -> Tensor { unary(NABLA_COS) }
  public func tanh() -> Tensor { unary(NABLA_TANH) }
  /// 1 / (1 + e⁻ˣ).
  public func sigmoid() -> Tensor { unary(NABLA_SIGMOID) }
  /// ln(1 + eˣ), without overflow.
  public func softplus() -> Tensor { unary(NABLA_SOFTPLUS) }
  /// ln σ(x) = -softplus(-x).
  public func logSigmoid() -> Tensor { -(-self).softplus() }
  /// Swift.max(x, 0); the gradient at 0 is 0.
  public func relu() -> Tensor { unary(NABLA_RELU) }
  /// x · Φ(x), with the exact normal CDF (Hendrycks & Gimpel 2016).
  public func gelu() -> Tensor { unary(NABLA_GELU) }
  /// GELU in its tanh approximation, as in GPT-2.
  public func geluTanh() -> Tensor { unary(NABLA_GELU_TANH) }
  /// x · σ(x), also called swish.
  public func silu() -> Tensor { unary(NABLA_SILU) }

  public static prefix func - (x: Tensor) -> Tensor { x.unary(NABLA_NEGATE) }

  private func unary(_ operation: nabla_unary_operation) -> Tensor {
    let op = Int32(operation.rawValue)
    let x = stopGradient().inComputeType
    let y = Tensor(uninitialized: shape, dtype: x.dtype)
    parallelFor(count, grain: elementGrain / 4) { part in
      let (first, n) = (part.lowerBound, Int64(part.count))
      if x.dtype == .bfloat16 {
        nabla_unary_bfloat16(op, n, x.halves + first, y.halves + first)
      } else {
        nabla_unary(op, n, x.floats + first, y.floats + first)
      }
    }
    return y.recorded(self) { dy, inputs in
      let dy = dy.cast(x.dtype)
      let dx = Tensor(uninitialized: x.shape, dtype: x.dtype)
      parallelFor(x.count, grain: elementGrain / 4) { part in
        let (first, n) = (part.lowerBound, Int64(part.count))
        if x.dtype == .bfloat16 {
          nabla_unary_backward_bfloat16(op, n, x.halves + first, dy.halves + first, dx.halves + first)
        } else {
          nabla_unary_backward(op, n, x.floats + first, dy.floats + first, dx.floats + first)
        }
      }
      inputs[0]?.accumulate(dx)
    }
  }

  /// This tensor in a type that kernels compute in: float32 or bfloat16.
  package var inComputeType: Tensor { dtype == .float32 || dtype == .bfloat16 ? self : cast(.float32) }

  /// SwiGLU's gate (Shazeer 2020): silu(gate) · up, where each row of self holds gate and up side by side.
  /// [..., 2·F] → [..., F].
  public func swiglu() -> Tensor {
    let width = shape.last! / 2
    precondition(shape.last! == 2 * width, "swiglu: the last dimension of \(shape) must be even")
    let x = stopGradient().inComputeType
    let rows = count / Swift.max(2 * width, 1)
    let y = Tensor(uninitialized: shape.replacing(rank - 1, with: width), dtype: x.dtype)
    let grain = Swift.max(elementGrain / 4 / Swift.max(width, 1), 1)
    parallelFor(rows, grain: grain) { part in
      let (n, from, to) = (Int64(part.count), part.lowerBound * 2 * width, part.lowerBound * width)
      if x.dtype == .bfloat16 {
        nabla_swiglu_bfloat16(n, Int64(width), x.halves + from, y.halves + to)
      } else {
        nabla_swiglu(n, Int64(width), x.floats + from, y.floats + to)
      }
    }
    return y.recorded(self) { dy, inputs in
      let dy = dy.cast(x.dtype)
      let dx = Tensor(uninitialized: x.shape, dtype: x.dtype)
      parallelFor(rows, grain: grain) { part in
        let (n, from, to) = (Int64(part.count), part.lowerBound * 2 * width, part.lowerBound * width)
        if x.dtype == .bfloat16 {
          nabla_swiglu_backward_bfloat16(n, Int64(width), x.halves + from, dy.halves + to, dx.halves + from)
        } else {
          nabla_swiglu_backward(n, Int64(width), x.floats + from, dy.floats + to, dx.floats + from)
        }
      }
      inputs[0]?.accumulate(dx)
    }
  }
}

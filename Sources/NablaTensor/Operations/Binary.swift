import CNablaKernels

// Functions of two numbers, with NumPy's broadcasting: shapes are aligned at the last dimension, and a size of 1
// repeats.
extension Tensor {
  public static func + (a: Tensor, b: Tensor) -> Tensor {
    binary(NABLA_ADD, a, b).recorded(a, b) { dy, inputs in
      inputs[0]?.accumulateReduced(dy)
      inputs[1]?.accumulateReduced(dy)
    }
  }

  public static func - (a: Tensor, b: Tensor) -> Tensor {
    binary(NABLA_SUBTRACT, a, b).recorded(a, b) { dy, inputs in
      inputs[0]?.accumulateReduced(dy)
      inputs[1]?.accumulateReduced(-dy)
    }
  }

  public static func * (a: Tensor, b: Tensor) -> Tensor {
    let (u, v) = (a.stopGradient(), b.stopGradient())
    return binary(NABLA_MULTIPLY, u, v).recorded(a, b) { dy, inputs in
      inputs[0]?.accumulateReduced(dy * v)
      inputs[1]?.accumulateReduced(dy * u)
    }
  }

  public static func / (a: Tensor, b: Tensor) -> Tensor {
    let (u, v) = (a.stopGradient(), b.stopGradient())
    return binary(NABLA_DIVIDE, u, v).recorded(a, b) { dy, inputs in
      inputs[0]?.accumulateReduced(dy / v)
      inputs[1]?.accumulateReduced(-(dy * u / (v * v)))
    }
  }

  /// aᵇ for a > 0 (the gradient with respect to b takes ln a).
  public static func pow(_ a: Tensor, _ b: Tensor) -> Tensor {
    let (u, v) = (a.stopGradient(), b.stopGradient())
    let y = binary(NABLA_POWER, u, v)
    return y.recorded(a, b) { dy, inputs in
      inputs[0]?.accumulateReduced(dy * v * pow(u, v - 1))
      inputs[1]?.accumulateReduced(dy * y * u.log())
    }
  }

  /// The larger of each pair; NaN wins. Where they are equal the gradient goes half to each.
  public static func maximum(_ a: Tensor, _ b: Tensor) -> Tensor { extremum(NABLA_MAXIMUM, a, b) }
  /// The smaller of each pair; NaN wins. Where they are equal the gradient goes half to each.
  public static func minimum(_ a: Tensor, _ b: Tensor) -> Tensor { extremum(NABLA_MINIMUM, a, b) }

  private static func extremum(_ operation: nabla_binary_operation, _ a: Tensor, _ b: Tensor) -> Tensor {
    let (u, v) = (a.stopGradient(), b.stopGradient())
    return binary(operation, u, v).recorded(a, b) { dy, inputs in
      let (lower, higher) = operation == NABLA_MAXIMUM ? (v, u) : (u, v)
      let strict = binary(NABLA_LESS, lower, higher)
      let shareOfFirst = strict + binary(NABLA_EQUAL, u, v) * 0.5
      inputs[0]?.accumulateReduced(dy * shareOfFirst)
      inputs[1]?.accumulateReduced(dy * (1 - shareOfFirst))
    }
  }

  /// 1 where a equals b, else 0. Comparisons have no gradient.
  public static func equal(_ a: Tensor, _ b: Tensor) -> Tensor { binary(NABLA_EQUAL, a, b) }
  public static func less(_ a: Tensor, _ b: Tensor) -> Tensor { binary(NABLA_LESS, a, b) }
  public static func lessOrEqual(_ a: Tensor, _ b: Tensor) -> Tensor { binary(NABLA_LESS_EQUAL, a, b) }

  /// a where `condition` is not 0, else b. All three broadcast.
  public static func select(_ condition: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
    let shape = broadcastShape("select", broadcastShape("select", a.shape, b.shape), condition.shape)
    let (c, u, v) = (condition.stopGradient().cast(.float32), a.stopGradient(), b.stopGradient())
    let (full, first, second) = (c.broadcast(to: shape), u.broadcast(to: shape), v.broadcast(to: shape))
    let y = Tensor(uninitialized: shape)
    let (firstFloats, secondFloats) = (first.cast(.float32), second.cast(.float32))
    parallelFor(y.count, grain: elementGrain) { part in
      let i = part.lowerBound
      nabla_where(
        Int64(part.count), full.floats + i, 1, firstFloats.floats + i, 1, secondFloats.floats + i, 1, y.floats + i)
    }
    return y.recorded(a, b) { dy, inputs in
      inputs[0]?.accumulateReduced(select(full, dy, 0))
      inputs[1]?.accumulateReduced(select(full, 0, dy))
    }
  }

  /// Each element kept within the range; outside it the gradient is 0.
  public func clamped(to range: ClosedRange<Float>) -> Tensor {
    let x = stopGradient().cast(.float32)
    let y = Tensor(uninitialized: shape)
    parallelFor(count, grain: elementGrain) { part in
      let i = part.lowerBound
      nabla_clamp(Int64(part.count), x.floats + i, range.lowerBound, range.upperBound, y.floats + i)
    }
    return y.recorded(self) { dy, inputs in
      let dy = dy.cast(.float32)
      let dx = Tensor(uninitialized: x.shape)
      parallelFor(x.count, grain: elementGrain) { part in
        let (i, n) = (part.lowerBound, Int64(part.count))
        nabla_clamp_backward(n, x.floats + i, dy.floats + i, range.lowerBound, range.upperBound, dx.floats + i)
      }
      inputs[0]?.accumulate(dx)
    }
  }

  /// alpha · x + beta, without a tensor for either scalar.
  package func scaledShifted(_ alpha: Float, _ beta: Float) -> Tensor {
    let x = cast(.float32)
    let y = Tensor(uninitialized: shape)
    parallelFor(count, grain: elementGrain) { part in
      nabla_scale_shift(Int64(part.count), x.floats + part.lowerBound, alpha, beta, y.floats + part.lowerBound)
    }
    return y.recorded(self) { dy, inputs in inputs[0]?.accumulate(dy.scaledShifted(alpha, 0)) }
  }

  /// Repeats dimensions of size 1 until the shape fits.
  public func broadcast(to target: Shape) -> Tensor {
    if shape == target { return self }
    precondition(Shape.broadcast(shape, target) == target, "broadcast: \(shape) does not broadcast to \(target)")
    return self + Tensor.zeros(target)
  }

  static func broadcastShape(_ operation: StaticString, _ a: Shape, _ b: Shape) -> Shape {
    guard let shape = Shape.broadcast(a, b) else {
      preconditionFailure("\(operation): shapes \(a) and \(b) do not broadcast together")
    }
    return shape
  }

  private static func binary(_ operation: nabla_binary_operation, _ a: Tensor, _ b: Tensor) -> Tensor {
    let op = Int32(operation.rawValue)
    let shape = broadcastShape("elementwise operation", a.shape, b.shape)
    let result = a.dtype == .bfloat16 && b.dtype == .bfloat16 ? DType.bfloat16 : .float32
    let (u, v) = (a.stopGradient().cast(.float32), b.stopGradient().cast(.float32))
    let y = Tensor(uninitialized: shape)
    if a.shape == b.shape || a.count == 1 || b.count == 1 {
      let strideA = a.count == 1 && shape.elementCount != 1 ? 0 : 1
      let strideB = b.count == 1 && shape.elementCount != 1 ? 0 : 1
      parallelFor(y.count, grain: elementGrain) { part in
        let i = part.lowerBound
        nabla_binary(
          op, Int64(part.count), u.floats + i * strideA, Int64(strideA), v.floats + i * strideB, Int64(strideB),
          y.floats + i)
      }
    } else {
      binaryBroadcast(op, u, v, into: y)
    }
    return y.cast(result)
  }

  /// The general case: the innermost dimension is one kernel call; the others are iterated.
  private static func binaryBroadcast(_ op: Int32, _ a: Tensor, _ b: Tensor, into y: Tensor) {
    let shape = y.shape
    let inner = shape.last!
    let (stridesA, stridesB) = (a.shape.broadcastStrides(in: shape), b.shape.broadcastStrides(in: shape))
    let rows = y.count / Swift.max(inner, 1)
    parallelFor(rows, grain: Swift.max(elementGrain / Swift.max(inner, 1), 1)) { part in
      for row in part {
        var (rest, offsetA, offsetB) = (row, 0, 0)
        for d in stride(from: shape.count - 2, through: 0, by: -1) {
          let index = rest % shape[d]
          rest /= shape[d]
          offsetA += index * stridesA[d]
          offsetB += index * stridesB[d]
        }
        nabla_binary(
          op, Int64(inner), a.floats + offsetA, Int64(stridesA[shape.count - 1]), b.floats + offsetB,
          Int64(stridesB[shape.count - 1]), y.floats + row * inner)
      }
    }
  }
}

extension Shape {
  /// Row-major strides of this shape seen as the broadcast shape `target`: 0 where a dimension repeats.
  fileprivate func broadcastStrides(in target: Shape) -> Shape {
    let own = strides
    var result = target
    for d in 0..<target.count {
      let mine = d - target.count + count
      result[d] = mine < 0 || self[mine] == 1 ? 0 : own[mine]
    }
    return result
  }
}

extension Node {
  /// Adds a gradient that has been broadcast, summed over what the broadcast repeated.
  func accumulateReduced(_ gradient: Tensor) {
    accumulate(gradient.reduced(to: shape))
  }
}

extension Tensor {
  /// Sums over the dimensions that were repeated in broadcasting `target` to this shape.
  func reduced(to target: Shape) -> Tensor {
    if shape == target { return self }
    var result = self
    while result.rank > target.count { result = result.sum(axis: 0) }
    for d in 0..<target.count where target[d] == 1 && result.shape[d] != 1 {
      result = result.sum(axis: d, keepingDimension: true)
    }
    return result
  }
}

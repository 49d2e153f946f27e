import CNablaKernels

extension Tensor {
  /// The sum of all elements: a scalar.
  public func sum() -> Tensor { reshaped([1, count]).sum(axis: 1).reshaped([]) }
  /// The mean of all elements: a scalar.
  public func mean() -> Tensor { sum().scaledShifted(1 / Float(count), 0) }

  /// Sums along `axis` (negative counts from the end).
  public func sum(axis: Int, keepingDimension: Bool = false) -> Tensor {
    let dimension = shape.dimension(axis, for: "sum")
    let kept = shape.replacing(dimension, with: 1)
    let y = reduceMiddle(dimension, nabla_sum_middle).reshaped(keepingDimension ? kept : shape.removing(dimension))
    let full = shape
    return y.recorded(self) { dy, inputs in
      inputs[0]?.accumulate(dy.reshaped(kept).broadcast(to: full))
    }
  }

  public func mean(axis: Int, keepingDimension: Bool = false) -> Tensor {
    let n = shape[shape.dimension(axis, for: "mean")]
    return sum(axis: axis, keepingDimension: keepingDimension).scaledShifted(1 / Float(n), 0)
  }

  /// The variance along `axis`: mean squared distance from the mean (divides by n).
  public func variance(axis: Int, keepingDimension: Bool = false) -> Tensor {
    (self - mean(axis: axis, keepingDimension: true)).square().mean(axis: axis, keepingDimension: keepingDimension)
  }

  /// The largest element along `axis`. Its gradient is divided equally among the positions that hold it.
  public func max(axis: Int, keepingDimension: Bool = false) -> Tensor {
    let dimension = shape.dimension(axis, for: "max")
    precondition(shape[dimension] > 0, "max: axis \(axis) of shape \(shape) is empty")
    let kept = shape.replacing(dimension, with: 1)
    let x = stopGradient().cast(.float32)
    let y = x.reduceMiddle(dimension, nabla_max_middle).reshaped(kept)
    return y.reshaped(keepingDimension ? kept : shape.removing(dimension)).recorded(self) { dy, inputs in
      let holds = Tensor.equal(x, y)
      let share = holds / holds.sum(axis: dimension, keepingDimension: true)
      inputs[0]?.accumulate(share * dy.reshaped(kept))
    }
  }

  public func min(axis: Int, keepingDimension: Bool = false) -> Tensor {
    -(-self).max(axis: axis, keepingDimension: keepingDimension)
  }

  /// The position of the first largest element along `axis`: int32, no gradient. NaN is no largest element, unless it is
  /// the first.
  public func argmax(axis: Int) -> Tensor {
    let dimension = shape.dimension(axis, for: "argmax")
    let x = stopGradient().cast(.float32)
    let (outer, n, inner) = shape.split(at: dimension)
    precondition(n > 0, "argmax: axis \(axis) of shape \(shape) is empty")
    let y = Tensor(uninitialized: shape.removing(dimension), dtype: .int32)
    parallelFor(outer, grain: Swift.max(elementGrain / Swift.max(n * inner, 1), 1)) { part in
      nabla_argmax_middle(
        Int64(part.lowerBound), Int64(part.upperBound), Int64(n), Int64(inner), x.floats, y.integers)
    }
    return y
  }

  /// Running sums along `axis`: y[i] = x[0] + … + x[i].
  public func cumulativeSum(axis: Int) -> Tensor {
    let dimension = shape.dimension(axis, for: "cumulativeSum")
    return runningSum(dimension, reversed: false).recorded(self) { dy, inputs in
      inputs[0]?.accumulate(dy.runningSum(dimension, reversed: true))
    }
  }

  private func runningSum(_ dimension: Int, reversed: Bool) -> Tensor {
    let x = stopGradient().cast(.float32)
    let (outer, n, inner) = shape.split(at: dimension)
    let y = Tensor(uninitialized: shape)
    parallelFor(outer, grain: Swift.max(elementGrain / Swift.max(n * inner, 1), 1)) { part in
      nabla_cumulative_sum(
        Int64(part.lowerBound), Int64(part.upperBound), Int64(n), Int64(inner), x.floats, y.floats, reversed ? 1 : 0)
    }
    return y
  }

  private func reduceMiddle(
    _ dimension: Int,
    _ kernel: (Int64, Int64, Int64, Int64, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?) -> Void
  ) -> Tensor {
    let x = stopGradient().cast(.float32)
    let (outer, n, inner) = shape.split(at: dimension)
    let y = Tensor(uninitialized: [outer, inner])
    parallelFor(outer, grain: Swift.max(elementGrain / Swift.max(n * inner, 1), 1)) { part in
      kernel(Int64(part.lowerBound), Int64(part.upperBound), Int64(n), Int64(inner), x.floats, y.floats)
    }
    return y
  }
}

// MARK: Order (no gradients)

extension Tensor {
  /// The k largest elements of each row of the last dimension, largest first, and their positions (int32).
  /// Equal elements keep their order. [..., n] → [..., k].
  public func topK(_ k: Int) -> (values: Tensor, indices: Tensor) {
    let n = shape.last!
    precondition(k <= n, "topK: \(k) of the \(n) elements in a row of shape \(shape)")
    let x = stopGradient().cast(.float32)
    let result = shape.replacing(rank - 1, with: k)
    let (values, indices) = (Tensor(uninitialized: result), Tensor(uninitialized: result, dtype: .int32))
    parallelFor(count / Swift.max(n, 1), grain: 1) { rows in
      for row in rows {
        let source = x.floats + row * n
        // NaN sorts last, so that it is never mistaken for a large number.
        let order = (0..<n).sorted { a, b in
          let (u, v) = (source[a], source[b])
          if u.isNaN || v.isNaN { return u.isNaN == v.isNaN ? a < b : v.isNaN }
          return u == v ? a < b : u > v
        }
        for i in 0..<k {
          values.floats[row * k + i] = source[order[i]]
          indices.integers[row * k + i] = Int32(order[i])
        }
      }
    }
    return (values, indices)
  }

  /// Each row of the last dimension sorted, largest first, with the original positions of the elements (int32).
  public func sortedDescending() -> (values: Tensor, indices: Tensor) { topK(shape.last!) }
}

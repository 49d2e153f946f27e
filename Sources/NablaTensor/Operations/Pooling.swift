import CNablaKernels

// Over the one or two last dimensions of [B, C, L] or [B, C, H, W]. Planes are divided among threads.
extension Tensor {
  /// The largest element of each window; padding is never the largest. The gradient goes to the first position that
  /// holds it. Sizes: ⌊(n + 2·padding - kernel) / stride⌋ + 1; the stride is the kernel's size unless given.
  public func maxPool(_ kernel: SpatialPair, stride: SpatialPair? = nil, padding: SpatialPair = 0) -> Tensor {
    let windows = Windows("maxPool", shape, kernel, stride ?? kernel, padding)
    let x = stopGradient().cast(.float32)
    let (y, places) = (Tensor(uninitialized: windows.output), Tensor(uninitialized: windows.output, dtype: .int32))
    windows.eachPart { planes, from, to, window in
      nabla_max_pool(window, planes, x.floats + from, y.floats + to, places.integers + to)
    }
    return y.recorded(self) { dy, inputs in
      let dx = Tensor.zeros(x.shape)
      windows.eachPart { planes, from, to, window in
        nabla_max_pool_backward(window, planes, dy.floats + to, places.integers + to, dx.floats + from)
      }
      inputs[0]?.accumulate(dx)
    }
  }

  /// The mean of each window. Padding counts as zeros, or not at all with `countingPadding` false.
  /// Sizes as those of `maxPool`.
  public func averagePool(
    _ kernel: SpatialPair, stride: SpatialPair? = nil, padding: SpatialPair = 0, countingPadding: Bool = true
  ) -> Tensor {
    let windows = Windows("averagePool", shape, kernel, stride ?? kernel, padding)
    let excludes: Int32 = countingPadding ? 0 : 1
    let x = stopGradient().cast(.float32)
    let y = Tensor(uninitialized: windows.output)
    windows.eachPart { planes, from, to, window in
      nabla_average_pool(window, excludes, planes, x.floats + from, y.floats + to)
    }
    return y.recorded(self) { dy, inputs in
      let dx = Tensor.zeros(windows.input)
      windows.eachPart { planes, from, to, window in
        nabla_average_pool_backward(window, excludes, planes, dy.floats + to, dx.floats + from)
      }
      inputs[0]?.accumulate(dx)
    }
  }

  /// Each element repeated: [B, C, L] → [B, C, L·scale], [B, C, H, W] → [B, C, H·scale, W·scale].
  public func upsampledNearest(_ scale: SpatialPair) -> Tensor {
    precondition(rank == 3 || rank == 4, "upsampledNearest: shape \(shape) is neither [B, C, L] nor [B, C, H, W]")
    let s = scale.along(rank - 2, neutral: 1)
    precondition(s.height > 0 && s.width > 0, "upsampledNearest: scales start at 1")
    let (rows, columns) = (rank == 3 ? 1 : shape[2], shape.last!)
    let planes = shape[0] * shape[1]
    let grain = Swift.max(elementGrain / Swift.max(rows * columns * s.height * s.width, 1), 1)
    let x = stopGradient().cast(.float32)
    var result = shape
    if rank == 4 { result[2] = rows * s.height }
    result[rank - 1] = columns * s.width
    let y = Tensor(uninitialized: result)
    let (small, large) = (rows * columns, rows * columns * s.height * s.width)
    parallelFor(planes, grain: grain) { part in
      let p = part.lowerBound
      nabla_upsample_nearest(
        Int64(part.count), Int64(rows), Int64(columns), Int64(s.height), Int64(s.width), x.floats + p * small,
        y.floats + p * large)
    }
    let original = shape
    return y.recorded(self) { dy, inputs in
      let dx = Tensor(uninitialized: original)
      parallelFor(planes, grain: grain) { part in
        let p = part.lowerBound
        nabla_upsample_nearest_backward(
          Int64(part.count), Int64(rows), Int64(columns), Int64(s.height), Int64(s.width), dy.floats + p * large,
          dx.floats + p * small)
      }
      inputs[0]?.accumulate(dx)
    }
  }
}

/// The windows of a pooling operation.
private struct Windows {
  let input: Shape
  let output: Shape
  private var window = nabla_window()

  init(_ operation: StaticString, _ input: Shape, _ kernel: SpatialPair, _ stride: SpatialPair, _ padding: SpatialPair)
  {
    precondition(
      input.count == 3 || input.count == 4, "\(operation): shape \(input) is neither [B, C, L] nor [B, C, H, W]")
    let spatial = input.count - 2
    let (k, s, p) = (
      kernel.along(spatial, neutral: 1), stride.along(spatial, neutral: 1), padding.along(spatial, neutral: 0)
    )
    let n = SpatialPair(spatial == 1 ? 1 : input[2], input.last!)
    func size(_ n: Int, _ k: Int, _ s: Int, _ p: Int) -> Int {
      // With padding larger than half the kernel, a window could contain only padding.
      precondition(k > 0 && s > 0 && p >= 0 && 2 * p <= k, "\(operation): kernel \(k), stride \(s), padding \(p)")
      precondition(n > 0 && n + 2 * p >= k, "\(operation): a window of \(k) in shape \(input) with padding \(p)")
      return (n + 2 * p - k) / s + 1
    }
    let m = SpatialPair(size(n.height, k.height, s.height, p.height), size(n.width, k.width, s.width, p.width))
    self.input = input
    output = Shape([input[0], input[1]] + (spatial == 1 ? [m.width] : [m.height, m.width]))
    (window.input, window.kernel, window.output) = (n.kernelPair, k.kernelPair, m.kernelPair)
    (window.stride, window.padding) = (s.kernelPair, p.kernelPair)
  }

  /// Runs `body` on ranges of planes: (how many, first element of the input, first element of the output, window).
  func eachPart(_ body: (Int64, Int, Int, UnsafePointer<nabla_window>) -> Void) {
    let small = output.dropFirst(2).reduce(1, *)
    let large = input.dropFirst(2).reduce(1, *)
    parallelFor(input[0] * input[1], grain: Swift.max(elementGrain / Swift.max(large, 1), 1)) { part in
      withUnsafePointer(to: window) { body(Int64(part.count), part.lowerBound * large, part.lowerBound * small, $0) }
    }
  }
}

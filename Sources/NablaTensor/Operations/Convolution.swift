import CNablaKernels

/// A value for each spatial dimension: `2` for both, `[2, 1]` for height and width. One-dimensional operations
/// use the last.
public struct SpatialPair: Sendable, Hashable, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral {
  public var height: Int
  public var width: Int

  public init(_ height: Int, _ width: Int) { (self.height, self.width) = (height, width) }
  public init(_ both: Int) { self.init(both, both) }
  public init(integerLiteral both: Int) { self.init(both, both) }
  public init(arrayLiteral sizes: Int...) {
    precondition(sizes.count == 2, "a pair is [height, width], not \(sizes)")
    self.init(sizes[0], sizes[1])
  }

  /// The values for a sequence [B, C, L], treated as an image of height 1.
  func along(_ spatialRank: Int, neutral: Int) -> SpatialPair { spatialRank == 1 ? SpatialPair(neutral, width) : self }
  var kernelPair: (Int64, Int64) { (Int64(height), Int64(width)) }
}

extension Tensor {
  /// Convolution (cross-correlation, as in every neural network library), in one or two spatial dimensions.
  ///
  /// y[b, o, i] = bias[o] + Σ_c Σ_k weight[o, c, k] · x[b, c, i·stride + k·dilation - padding]
  ///
  /// - Parameters:
  ///   - weight: [O, C / groups, K] for self [B, C, L]; [O, C / groups, K, K'] for self [B, C, H, W].
  ///   - bias: [O], or nil.
  ///   - stride: positions from one output to the next.
  ///   - padding: zeros assumed on either side.
  ///   - dilation: positions from one element of the kernel to the next.
  ///   - groups: the number of channel groups, each convolved separately; C and O must be multiples. C groups:
  ///     depthwise.
  /// - Returns: [B, O, …] with sizes ⌊(n + 2·padding - dilation·(k - 1) - 1) / stride⌋ + 1. Computed in float32.
  public func convolution(
    _ weight: Tensor, bias: Tensor? = nil, stride: SpatialPair = 1, padding: SpatialPair = 0,
    dilation: SpatialPair = 1, groups: Int = 1
  ) -> Tensor {
    let problem = Convolution(
      "convolution", input: shape, weight: weight.shape, stride: stride, padding: padding, dilation: dilation,
      groups: groups)
    precondition(
      bias.map { $0.shape == [problem.outputChannels] } ?? true, "convolution: bias \(bias!.shape) for \(weight.shape)")
    let (x, w) = (stopGradient().cast(.float32), weight.stopGradient().cast(.float32))
    let y = problem.forward(x, w, bias: bias?.stopGradient().cast(.float32))
    return y.cast(computeResult).recorded([self, weight] + (bias.map { [$0] } ?? [])) { dy, inputs in
      let dy = dy.cast(.float32)
      inputs[0]?.accumulate(problem.inputGradient(w, dy))
      let biasNode = inputs.count > 2 ? inputs[2] : nil
      guard inputs[1] != nil || biasNode != nil else { return }
      let (dw, db) = problem.weightGradient(x, dy, withBias: biasNode != nil)
      inputs[1]?.accumulate(dw)
      if let db { biasNode?.accumulate(db) }
    }
  }

  /// The transpose of `convolution` (the gradient with respect to its input), which upsamples: each element of
  /// self spreads the weight over the result.
  ///
  /// - Parameters:
  ///   - weight: [C, O / groups, K…] for self [B, C, …].
  ///   - bias: [O], or nil.
  ///   - stride: positions of the output from one input to the next.
  ///   - padding: positions cut off on either side of the output.
  ///   - outputPadding: positions added at the end of each dimension, fewer than the stride.
  ///   - dilation: positions from one element of the kernel to the next.
  ///   - groups: the number of channel groups.
  /// - Returns: [B, O, …] with sizes (n - 1)·stride - 2·padding + dilation·(k - 1) + outputPadding + 1.
  public func convolutionTransposed(
    _ weight: Tensor, bias: Tensor? = nil, stride: SpatialPair = 1, padding: SpatialPair = 0,
    outputPadding: SpatialPair = 0, dilation: SpatialPair = 1, groups: Int = 1
  ) -> Tensor {
    precondition(
      rank == weight.rank && weight.shape[0] == shape[1],
      "convolutionTransposed: weight \(weight.shape) for an input of shape \(shape)")
    let spatial = rank - 2
    let steps = [stride, padding, dilation, outputPadding].map { spatial == 1 ? [$0.width] : [$0.height, $0.width] }
    let sizes = (0..<spatial).map { d in
      precondition(steps[3][d] < steps[0][d], "convolutionTransposed: outputPadding must be smaller than the stride")
      return (shape[2 + d] - 1) * steps[0][d] - 2 * steps[1][d] + steps[2][d] * (weight.shape[2 + d] - 1) + steps[3][d]
        + 1
    }
    let outputChannels = weight.shape[1] * groups
    let problem = Convolution(
      "convolutionTransposed", input: Shape([shape[0], outputChannels] + sizes), weight: weight.shape, stride: stride,
      padding: padding, dilation: dilation, groups: groups)
    precondition(
      bias.map { $0.shape == [outputChannels] } ?? true,
      "convolutionTransposed: bias \(bias!.shape) for \(weight.shape)")
    let (x, w) = (stopGradient().cast(.float32), weight.stopGradient().cast(.float32))
    let y = problem.inputGradient(w, x).cast(computeResult).recorded(self, weight) { dy, inputs in
      let dy = dy.cast(.float32)
      if let node = inputs[0] { node.accumulate(problem.forward(dy, w, bias: nil)) }
      if let node = inputs[1] { node.accumulate(problem.weightGradient(dy, x, withBias: false).weight) }
    }
    guard let bias else { return y }
    return y + bias.reshaped(Shape([outputChannels] + Array(repeating: 1, count: spatial)))
  }

  private var computeResult: DType { dtype == .bfloat16 ? .bfloat16 : .float32 }
}

/// One convolution's sizes, and its three passes.
private struct Convolution {
  let input: Shape
  let weight: Shape
  let output: Shape
  private var problem = nabla_convolution()
  var outputChannels: Int { output[1] }

  init(
    _ operation: StaticString, input: Shape, weight: Shape, stride: SpatialPair, padding: SpatialPair,
    dilation: SpatialPair, groups: Int
  ) {
    precondition(
      (input.count == 3 || input.count == 4) && weight.count == input.count,
      "\(operation): weight \(weight) for shape \(input): [B, C, L] takes [O, C, K], [B, C, H, W] takes [O, C, K, K]")
    precondition(
      groups > 0 && weight[1] * groups == input[1] && weight[0] % groups == 0,
      "\(operation): weight \(weight) in \(groups) groups for shape \(input)")
    let spatial = input.count - 2
    let (s, p, d) = (
      stride.along(spatial, neutral: 1), padding.along(spatial, neutral: 0), dilation.along(spatial, neutral: 1)
    )
    precondition(
      s.height > 0 && s.width > 0 && d.height > 0 && d.width > 0 && p.height >= 0 && p.width >= 0,
      "\(operation): strides and dilations start at 1, padding at 0")
    let n = SpatialPair(spatial == 1 ? 1 : input[2], input.last!)
    let k = SpatialPair(spatial == 1 ? 1 : weight[2], weight.last!)
    func size(_ n: Int, _ k: Int, _ s: Int, _ p: Int, _ d: Int) -> Int {
      let room = n + 2 * p - d * (k - 1) - 1
      precondition(k > 0 && room >= 0, "\(operation): a kernel of shape \(weight) is larger than the input \(input)")
      return room / s + 1
    }
    let m = SpatialPair(
      size(n.height, k.height, s.height, p.height, d.height), size(n.width, k.width, s.width, p.width, d.width))
    (self.input, self.weight) = (input, weight)
    output = Shape([input[0], weight[0]] + (spatial == 1 ? [m.width] : [m.height, m.width]))
    (problem.batch, problem.groups) = (Int64(input[0]), Int64(groups))
    (problem.inputChannels, problem.outputChannels) = (Int64(input[1]), Int64(weight[0]))
    (problem.input, problem.kernel, problem.output) = (n.kernelPair, k.kernelPair, m.kernelPair)
    (problem.stride, problem.padding, problem.dilation) = (s.kernelPair, p.kernelPair, d.kernelPair)
  }

  private var isEmpty: Bool { input.elementCount == 0 || weight.elementCount == 0 || output.elementCount == 0 }

  func forward(_ x: Tensor, _ w: Tensor, bias: Tensor?) -> Tensor {
    if isEmpty {
      guard let bias else { return .zeros(output) }
      return bias.reshaped(Shape([bias.count] + Array(repeating: 1, count: output.count - 2))).broadcast(to: output)
    }
    let y = Tensor(uninitialized: output)
    run(NABLA_CONVOLUTION_FORWARD, x, w, bias, y)
    return y
  }

  func inputGradient(_ w: Tensor, _ dy: Tensor) -> Tensor {
    if isEmpty { return .zeros(input) }
    let dx = Tensor(uninitialized: input)
    run(NABLA_CONVOLUTION_BACKWARD_INPUT, dx, w, nil, dy)
    return dx
  }

  func weightGradient(_ x: Tensor, _ dy: Tensor, withBias: Bool) -> (weight: Tensor, bias: Tensor?) {
    if isEmpty {
      let sums = dy.reshaped([dy.shape[0], dy.shape[1], dy.shape.dropFirst(2).reduce(1, *)]).sum(axis: 2).sum(axis: 0)
      return (.zeros(weight), withBias ? sums : nil)
    }
    let dw = Tensor(uninitialized: weight)
    let db = withBias ? Tensor(uninitialized: [outputChannels]) : nil
    run(NABLA_CONVOLUTION_BACKWARD_WEIGHTS, x, dw, db, dy)
    return (dw, db)
  }

  private func run(_ pass: nabla_convolution_pass, _ x: Tensor, _ w: Tensor, _ bias: Tensor?, _ y: Tensor) {
    var problem = problem
    problem.hasBias = bias == nil ? 0 : 1
    let status = nabla_convolution_run(&problem, Int32(pass.rawValue), x.floats, w.floats, bias?.floats, y.floats)
    precondition(status == 0, "oneDNN rejected a convolution of \(input) with \(weight) (status \(status))")
  }
}

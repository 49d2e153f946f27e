import NablaTensor

/// y = x·Wᵀ + b. weight: [outputs, inputs], bias: [outputs].
public final class Linear: Module {
  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor?

  /// Weights and bias uniform in ±1/√inputs, as torch.nn.Linear has it.
  public init(_ inputs: Int, _ outputs: Int, bias: Bool = true, random: inout RandomSource) {
    let bound = 1 / Float(inputs).squareRoot()
    weight = random.uniform([outputs, inputs], in: -bound..<bound)
    self.bias = bias ? random.uniform([outputs], in: -bound..<bound) : nil
  }

  /// Weights normal with the given standard deviation, bias 0: what language models start from.
  public init(
    _ inputs: Int, _ outputs: Int, bias: Bool, standardDeviation: Float, random: inout RandomSource
  ) {
    weight = random.normal([outputs, inputs], standardDeviation: standardDeviation)
    self.bias = bias ? .zeros([outputs]) : nil
  }

  /// x: [..., inputs] → [..., outputs]; plus `residual` if there is one.
  public func callAsFunction(_ x: Tensor, residual: Tensor? = nil, output: DType? = nil) -> Tensor {
    x.linear(weight, bias: bias, residual: residual, output: output)
  }
}

extension [Linear] {
  /// Several layers of one input, their outputs side by side: [..., inputs] → [..., Σ outputs].
  func packed(_ x: Tensor) -> Tensor {
    let biases = compactMap(\.bias)
    return x.linear(map(\.weight), biases: biases.isEmpty ? nil : biases)
  }
}

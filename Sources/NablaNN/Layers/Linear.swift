import NablaTensor

/// y = x·Wᵀ + b. weight: [outputs, inputs], bias: [outputs].
///
/// A subclass may compute something else instead (an adapter in addition to the weight, a weight in another format):
/// it overrides `callAsFunction`, and models call that instead of their fused operations.
open class Linear: Module {
  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor?

  /// A layer with these values.
  public init(weight: Tensor, bias: Tensor? = nil) {
    self.weight = weight
    self.bias = bias
  }

  /// Weights and bias uniform in ±1/√inputs, as in torch.nn.Linear.
  public init(_ inputs: Int, _ outputs: Int, bias: Bool = true, random: inout RandomSource) {
    let bound = 1 / Float(inputs).squareRoot()
    weight = random.uniform([outputs, inputs], in: -bound..<bound)
    self.bias = bias ? random.uniform([outputs], in: -bound..<bound) : nil
  }

  /// Weights normal with the given standard deviation, bias 0: the initialization of language models.
  public init(
    _ inputs: Int, _ outputs: Int, bias: Bool, standardDeviation: Float, random: inout RandomSource
  ) {
    weight = random.normal([outputs, inputs], standardDeviation: standardDeviation)
    self.bias = bias ? .zeros([outputs]) : nil
  }

  public var inputs: Int { weight.shape[1] }
  public var outputs: Int { weight.shape[0] }

  /// x: [..., inputs] → [..., outputs]; plus `residual` if there is one.
  ///
  /// - Parameters:
  ///   - x: [..., inputs].
  ///   - residual: [..., outputs], added to the result.
  ///   - output: the result's type: x's, or float32 with a residual.
  open func callAsFunction(_ x: Tensor, residual: Tensor? = nil, output: DType? = nil) -> Tensor {
    x.linear(weight, bias: bias, residual: residual, output: output)
  }

  /// What a fused operation may read instead of calling this layer. Nil means that the layer must be
  /// called, the default for subclasses: they may compute something else.
  open var packable: LinearParts? {
    type(of: self) == Linear.self ? LinearParts(weight: weight, bias: bias) : nil
  }
}

/// What a linear layer computes with.
public struct LinearParts {
  /// [out, in].
  public var weight: Tensor
  /// [out].
  public var bias: Tensor?
  /// Of the weight, which is then frozen.
  public var update: LowRankUpdate?

  public init(weight: Tensor, bias: Tensor?, update: LowRankUpdate? = nil) {
    (self.weight, self.bias, self.update) = (weight, bias, update)
  }
}

extension [Linear] {
  /// Several layers with one input as one matrix multiplication, their outputs side by side: [..., inputs] → [..., Σ
  /// outputs]; nil where a layer must be called by itself, or only some have a bias.
  func packed(_ x: Tensor) -> Tensor? {
    let parts = compactMap(\.packable)
    let biases = parts.compactMap(\.bias)
    guard parts.count == count, biases.isEmpty || biases.count == count else { return nil }
    return x.linear(
      parts.map(\.weight), biases: biases.isEmpty ? nil : biases, updates: parts.map(\.update))
  }

  /// The same for any layers: called one by one and concatenated if necessary.
  func sideBySide(_ x: Tensor) -> Tensor { packed(x) ?? Tensor.concatenate(map { $0(x) }, axis: -1) }
}

import NablaTensor

/// Which normalisation a block uses.
public enum NormKind: String, Sendable, Codable, CaseIterable {
  case layer, rms
}

/// Layer or root-mean-square normalisation over the last dimension. weight, bias: [width]; RMS norm has no bias.
public final class Norm: Module {
  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor?
  public let kind: NormKind
  public let epsilon: Float

  public init(_ width: Int, kind: NormKind, epsilon: Float = 1e-5) {
    weight = .ones([width])
    bias = kind == .layer ? .zeros([width]) : nil
    self.kind = kind
    self.epsilon = epsilon
  }

  /// x: [..., width]. `output` bfloat16 feeds products in that type without a cast.
  public func callAsFunction(_ x: Tensor, output: DType = .float32) -> Tensor {
    switch kind {
    case .layer: x.layerNorm(weight: weight, bias: bias, epsilon: epsilon, output: output)
    case .rms: x.rmsNorm(weight: weight, epsilon: epsilon, output: output)
    }
  }
}

import NablaTensor

/// Which normalization a block uses.
public enum NormKind: String, Sendable, Codable, CaseIterable {
  case layer, rms
}

/// Layer or root-mean-square normalization over the last dimension. weight, bias: [width]; RMS norm has no bias.
open class Norm: Module {
  /// Nil if there are no parameters to learn: then 1.
  @Parameter public var weight: Tensor?
  @Parameter public var bias: Tensor?
  public let kind: NormKind
  public let epsilon: Float

  /// - Parameters:
  ///   - width: the size of the last dimension, which is normalized.
  ///   - kind: layer norm or RMSNorm.
  ///   - epsilon: added to the variance, or to the mean square.
  ///   - affine: whether there is a weight, initially 1, and with layer norm a bias, initially 0.
  public init(_ width: Int, kind: NormKind, epsilon: Float = 1e-5, affine: Bool = true) {
    weight = affine ? .ones([width]) : nil
    bias = affine && kind == .layer ? .zeros([width]) : nil
    self.kind = kind
    self.epsilon = epsilon
  }

  /// x: [..., width]. `output` bfloat16 feeds matrix multiplications in that type without a cast.
  open func callAsFunction(_ x: Tensor, output: DType = .float32) -> Tensor {
    switch kind {
    case .layer: x.layerNorm(weight: weight, bias: bias, epsilon: epsilon, output: output)
    case .rms: x.rmsNorm(weight: weight, epsilon: epsilon, output: output)
    }
  }
}

/// (x - mean)/√(variance + ε) · weight + bias over the last dimension (Ba et al. 2016).
public final class LayerNorm: Norm {
  public init(_ width: Int, epsilon: Float = 1e-5, affine: Bool = true) {
    super.init(width, kind: .layer, epsilon: epsilon, affine: affine)
  }
}

/// x/√(mean(x²) + ε) · weight over the last dimension (Zhang & Sennrich 2019).
public final class RMSNorm: Norm {
  public init(_ width: Int, epsilon: Float = 1e-5, affine: Bool = true) {
    super.init(width, kind: .rms, epsilon: epsilon, affine: affine)
  }
}

/// Channels in groups, each normalized over its channels and positions (Wu & He 2018). weight, bias: [channels].
public final class GroupNorm: Module {
  @Parameter public var weight: Tensor?
  @Parameter public var bias: Tensor?
  public let groups: Int
  public let epsilon: Float

  public init(groups: Int, channels: Int, epsilon: Float = 1e-5, affine: Bool = true) {
    precondition(groups > 0 && channels % groups == 0, "GroupNorm: \(channels) channels in \(groups) groups")
    weight = affine ? .ones([channels]) : nil
    bias = affine ? .zeros([channels]) : nil
    self.groups = groups
    self.epsilon = epsilon
  }

  /// x: [B, channels, ...].
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.groupNorm(groups: groups, weight: weight, bias: bias, epsilon: epsilon)
  }
}

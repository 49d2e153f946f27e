import NablaNN
import NablaTensor

/// Convolution in two dimensions, with padding that keeps the size at stride 1. weight: [outputs, inputs, k, k], bias:
/// [outputs].
final class Conv2d: Module {
  @Parameter var weight: Tensor
  @Parameter var bias: Tensor
  let stride: Int
  let padding: Int

  /// Weights and bias uniform in ±1/√(inputs·k²), as in torch.nn.Conv2d.
  init(_ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, random: inout RandomSource) {
    let bound = 1 / Float(inputs * kernel * kernel).squareRoot()
    weight = random.uniform([outputs, inputs, kernel, kernel], in: -bound..<bound)
    bias = random.uniform([outputs], in: -bound..<bound)
    self.stride = stride
    padding = kernel / 2
  }

  /// x: [B, inputs, H, W].
  func callAsFunction(_ x: Tensor) -> Tensor {
    x.convolution(weight, bias: bias, stride: SpatialPair(stride), padding: SpatialPair(padding))
  }
}

/// Group normalization with a weight and a bias per channel.
final class GroupNorm: Module {
  @Parameter var weight: Tensor
  @Parameter var bias: Tensor
  let groups: Int
  let epsilon: Float

  init(_ channels: Int, groups: Int, epsilon: Float) {
    weight = .ones([channels])
    bias = .zeros([channels])
    (self.groups, self.epsilon) = (groups, epsilon)
  }

  /// x: [B, C, ...].
  func callAsFunction(_ x: Tensor) -> Tensor {
    x.groupNorm(groups: groups, weight: weight, bias: bias, epsilon: epsilon)
  }
}

import NablaTensor

/// A convolution of images: y[b, o] = bias[o] + Σ_c weight[o, c] ⋆ x[b, c] (see `Tensor.convolution`).
/// weight: [outputs, inputs / groups, kernel height, kernel width], bias: [outputs].
public final class Conv2d: Module {
  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor?
  public let stride, padding, dilation: SpatialPair
  public let groups: Int

  /// Weights and bias uniform in ±1/√(inputs / groups · kernel area), as in torch.nn.Conv2d.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: SpatialPair, stride: SpatialPair = 1, padding: SpatialPair = 0,
    dilation: SpatialPair = 1, groups: Int = 1, bias: Bool = true, random: inout RandomSource
  ) {
    precondition(
      groups > 0 && inputs % groups == 0 && outputs % groups == 0,
      "Conv2d: \(inputs) input and \(outputs) output channels in \(groups) groups")
    let bound = 1 / Float(inputs / groups * kernel.height * kernel.width).squareRoot()
    weight = random.uniform([outputs, inputs / groups, kernel.height, kernel.width], in: -bound..<bound)
    self.bias = bias ? random.uniform([outputs], in: -bound..<bound) : nil
    (self.stride, self.padding, self.dilation, self.groups) = (stride, padding, dilation, groups)
  }

  /// x: [B, inputs, H, W] → [B, outputs, H', W'] with H' = ⌊(H + 2·padding - dilation·(kernel - 1) - 1) / stride⌋ + 1.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.convolution(weight, bias: bias, stride: stride, padding: padding, dilation: dilation, groups: groups)
  }
}

/// Each element repeated, `scale` times in each direction: [B, C, H, W] → [B, C, H·scale, W·scale].
public final class Upsample: Module {
  public let scale: SpatialPair

  public init(scale: SpatialPair = 2) { self.scale = scale }

  public func callAsFunction(_ x: Tensor) -> Tensor { x.upsampledNearest(scale) }
}

/// The mean of each window: [B, C, H, W] → [B, C, H / 2, W / 2] for a kernel of 2 and a stride of 2.
public final class AvgPool2d: Module {
  public let kernel, stride: SpatialPair

  /// - Parameters:
  ///   - kernel: height and width of the pooled window.
  ///   - stride: the kernel's size if nil.
  public init(kernel: SpatialPair = 2, stride: SpatialPair? = nil) {
    (self.kernel, self.stride) = (kernel, stride ?? kernel)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor { x.averagePool(kernel, stride: stride) }
}

import NablaNN
import NablaTensor

/// One resolution of the down path: residual blocks, each optionally with attention, then downsampling by 2.
final class UNetDownBlock: Module {
  let resnets: [ResnetBlock]
  let attentions: [SpatialAttention]
  @Named("cross_attentions") var crossAttentions: [SpatialCrossAttention]
  @Named("downsamplers") var downsamplers: [Resampler]

  init(
    _ inputs: Int, _ outputs: Int, attends: Bool, shrinks: Bool, _ c: UNetConfiguration, random: inout RandomSource
  ) {
    var (resnets, attentions) = ([ResnetBlock](), [SpatialAttention]())
    for i in 0..<c.layersPerBlock {
      resnets.append(ResnetBlock(i == 0 ? inputs : outputs, outputs, c, random: &random))
      if attends { attentions.append(SpatialAttention(outputs, c, random: &random)) }
    }
    (self.resnets, self.attentions) = (resnets, attentions)
    super.init()
    downsamplers = shrinks ? [Resampler(outputs, stride: 2, random: &random)] : []
    crossAttentions = []
    guard attends, let context = c.contextSize else { return }
    for _ in 0..<c.layersPerBlock {
      crossAttentions.append(SpatialCrossAttention(outputs, context: context, c, random: &random))
    }
  }

  /// All states for the skip connections, the last of which is the result.
  func callAsFunction(_ x: Tensor, _ embedding: Tensor, _ context: TextContext?) -> [Tensor] {
    var (x, states) = (x, [Tensor]())
    for (i, resnet) in resnets.enumerated() {
      x = resnet(x, embedding)
      if !attentions.isEmpty { x = attentions[i](x) }
      if !crossAttentions.isEmpty, let context { x = crossAttentions[i](x, context) }
      states.append(x)
    }
    if let shrink = downsamplers.first { states.append(shrink.conv(x)) }
    return states
  }
}

/// The lowest resolution: attention between two residual blocks.
final class UNetMiddleBlock: Module {
  let attentions: [SpatialAttention]
  let resnets: [ResnetBlock]
  @Named("cross_attentions") var crossAttentions: [SpatialCrossAttention]

  init(_ channels: Int, _ c: UNetConfiguration, random: inout RandomSource) {
    attentions = c.middleAttention ? [SpatialAttention(channels, c, random: &random)] : []
    let first = ResnetBlock(channels, channels, c, random: &random)
    resnets = [first, ResnetBlock(channels, channels, c, random: &random)]
    super.init()
    crossAttentions =
      c.contextSize.map { [SpatialCrossAttention(channels, context: $0, c, random: &random)] } ?? []
  }

  func callAsFunction(_ x: Tensor, _ embedding: Tensor, _ context: TextContext?) -> Tensor {
    var x = resnets[0](x, embedding)
    if let attention = attentions.first { x = attention(x) }
    if let cross = crossAttentions.first, let context { x = cross(x, context) }
    return resnets[1](x, embedding)
  }
}

/// One resolution of the up path: residual blocks with skip connections, then upsampling by 2.
final class UNetUpBlock: Module {
  let resnets: [ResnetBlock]
  let attentions: [SpatialAttention]
  @Named("cross_attentions") var crossAttentions: [SpatialCrossAttention]
  @Named("upsamplers") var upsamplers: [Resampler]

  /// - Parameters:
  ///   - skips: the channels of each block's skip connection.
  init(
    _ inputs: Int, _ outputs: Int, skips: [Int], attends: Bool, grows: Bool, _ c: UNetConfiguration,
    random: inout RandomSource
  ) {
    var (resnets, attentions) = ([ResnetBlock](), [SpatialAttention]())
    for (i, skip) in skips.enumerated() {
      resnets.append(ResnetBlock((i == 0 ? inputs : outputs) + skip, outputs, c, random: &random))
      if attends { attentions.append(SpatialAttention(outputs, c, random: &random)) }
    }
    (self.resnets, self.attentions) = (resnets, attentions)
    super.init()
    upsamplers = grows ? [Resampler(outputs, stride: 1, random: &random)] : []
    crossAttentions = []
    guard attends, let context = c.contextSize else { return }
    for _ in skips { crossAttentions.append(SpatialCrossAttention(outputs, context: context, c, random: &random)) }
  }

  /// Removes its skip states from the end of `states`.
  func callAsFunction(
    _ x: Tensor, _ states: inout [Tensor], _ embedding: Tensor, _ context: TextContext?
  ) -> Tensor {
    var x = x
    for (i, resnet) in resnets.enumerated() {
      x = resnet(Tensor.concatenate([x, states.removeLast()], axis: 1), embedding)
      if !attentions.isEmpty { x = attentions[i](x) }
      if !crossAttentions.isEmpty, let context { x = crossAttentions[i](x, context) }
    }
    if let grow = upsamplers.first { x = grow.conv(x.upsampledNearest(2)) }
    return x
  }
}

/// The convolution of a resizing layer.
final class Resampler: Module {
  let conv: Conv2d

  init(_ channels: Int, stride: Int, random: inout RandomSource) {
    conv = Conv2d(channels, channels, kernel: 3, stride: stride, random: &random)
  }
}

import NablaNN
import NablaTensor

/// Two convolutions with the time embedding in between, added to the input:
///
///     h = conv₁(silu(norm₁(x))) + W·silu(e)        y = shortcut(x) + conv₂(silu(norm₂(h)))
final class ResnetBlock: Module {
  let norm1: GroupNorm
  let conv1: Conv2d
  @Named("time_emb_proj") var time: Linear
  let norm2: GroupNorm
  let conv2: Conv2d
  @Named("conv_shortcut") var shortcut: Conv2d?

  init(_ inputs: Int, _ outputs: Int, _ c: UNetConfiguration, random: inout RandomSource) {
    norm1 = GroupNorm(inputs, groups: c.normGroups, epsilon: c.normEpsilon)
    conv1 = Conv2d(inputs, outputs, kernel: 3, random: &random)
    norm2 = GroupNorm(outputs, groups: c.normGroups, epsilon: c.normEpsilon)
    conv2 = Conv2d(outputs, outputs, kernel: 3, random: &random)
    super.init()
    time = Linear(c.embeddingWidth, outputs, random: &random)
    shortcut = inputs == outputs ? nil : Conv2d(inputs, outputs, kernel: 1, random: &random)
  }

  /// x: [B, inputs, H, W], embedding: silu(e) [B, embedding width] → [B, outputs, H, W].
  func callAsFunction(_ x: Tensor, _ embedding: Tensor) -> Tensor {
    let shift = time(embedding)
    let h = conv1(norm1(x).silu()) + shift.reshaped([shift.shape[0], shift.shape[1], 1, 1])
    return (shortcut?(x) ?? x) + conv2(norm2(h).silu())
  }
}

/// Self-attention between the positions of an image, added to it.
final class SpatialAttention: Module {
  @Named("group_norm") var norm: GroupNorm
  @Named("to_q") var query: Linear
  @Named("to_k") var key: Linear
  @Named("to_v") var value: Linear
  @Named("to_out.0") var output: Linear
  let headSize: Int

  init(_ channels: Int, _ c: UNetConfiguration, random: inout RandomSource) {
    headSize = c.headSize ?? channels
    super.init()
    norm = GroupNorm(channels, groups: c.normGroups, epsilon: c.normEpsilon)
    query = Linear(channels, channels, random: &random)
    key = Linear(channels, channels, random: &random)
    value = Linear(channels, channels, random: &random)
    output = Linear(channels, channels, random: &random)
  }

  /// x: [B, C, H, W] → the same.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let (batch, channels, places) = (x.shape[0], x.shape[1], x.shape[2] * x.shape[3])
    let rows = norm(x).reshaped([batch, channels, places]).transposed()
    func heads(_ y: Tensor) -> Tensor { y.reshaped([batch, places, channels / headSize, headSize]) }
    let mixed = Tensor.attention(queries: heads(query(rows)), keys: heads(key(rows)), values: heads(value(rows)))
    return x + output(mixed.reshaped([batch, places, channels])).transposed().reshaped(x.shape)
  }
}

/// Attention from the places of an image to the words of a text, added to it; adds nothing at first.
final class SpatialCrossAttention: Module {
  @Named("group_norm") var norm: GroupNorm
  @Named("attn") var attention: CrossAttention

  init(_ channels: Int, context: Int, _ c: UNetConfiguration, random: inout RandomSource) {
    super.init()
    norm = GroupNorm(channels, groups: c.normGroups, epsilon: c.normEpsilon)
    attention = CrossAttention(
      channels, context: context, heads: channels / (c.headSize ?? channels), random: &random)
  }

  /// x: [B, C, H, W] → the same.
  func callAsFunction(_ x: Tensor, _ context: TextContext) -> Tensor {
    let rows = norm(x).reshaped([x.shape[0], x.shape[1], x.shape[2] * x.shape[3]]).transposed()
    return x + attention(rows, context).transposed().reshaped(x.shape)
  }
}

import NablaNN
import NablaTensor

/// A transformer block with conditioned norms (Peebles & Xie 2023, "Scalable diffusion models with
/// transformers": adaLN-Zero):
///
///     (s₁, c₁, g₁, s₂, c₂, g₂) = W·silu(e) + b              W = b = 0 initially: the block starts as the identity
///     x ← x + g₁·attention(norm(x)·(1 + c₁) + s₁)
///     x ← x + cross-attention(x, text)                        only with text (Chen et al. 2024, "PixArt-α")
///     x ← x + g₂·feed-forward(norm(x)·(1 + c₂) + s₂)
final class DiTBlock: Module {
  @Named("attn") var attention: Attention
  @Named("cross_attn") var cross: CrossAttention?
  @Named("mlp") var feedForward: DiTFeedForward
  @Named("modulation") var modulation: Linear

  init(_ c: DiTConfiguration, random: inout RandomSource) {
    super.init()
    let deviation = 1 / Float(c.hiddenSize).squareRoot()
    attention = Attention(
      AttentionConfiguration(width: c.hiddenSize, headCount: c.headCount, bias: true, causal: false),
      standardDeviation: deviation, outputDeviation: deviation, random: &random)
    cross = c.contextSize.map { CrossAttention(c.hiddenSize, context: $0, heads: c.headCount, random: &random) }
    feedForward = DiTFeedForward(c.hiddenSize, hidden: c.feedForwardRatio * c.hiddenSize, random: &random)
    modulation = Linear(c.hiddenSize, 6 * c.hiddenSize, bias: true, standardDeviation: 0, random: &random)
  }

  /// x: [B, T, width], embedding: silu(e) [B, width].
  func callAsFunction(_ x: Tensor, _ embedding: Tensor, context: TextContext?) -> Tensor {
    let m = modulation(embedding).expandedDimension(at: 1).split(Array(repeating: x.shape[2], count: 6), axis: 2)
    var x = x + m[2] * attention(modulated(x.layerNorm(epsilon: 1e-6), shift: m[0], scale: m[1]))
    if let cross, let context { x = x + cross(x, context) }
    return x + m[5] * feedForward(modulated(x.layerNorm(epsilon: 1e-6), shift: m[3], scale: m[4]))
  }
}

/// x·(1 + scale) + shift. x: [B, T, width], shift and scale: [B, 1, width].
func modulated(_ x: Tensor, shift: Tensor, scale: Tensor) -> Tensor { x * (scale + 1) + shift }

/// Two linear layers with GELU in between.
final class DiTFeedForward: Module {
  let fc1: Linear
  let fc2: Linear

  init(_ width: Int, hidden: Int, random: inout RandomSource) {
    fc1 = Linear(width, hidden, random: &random)
    fc2 = Linear(hidden, width, random: &random)
  }

  func callAsFunction(_ x: Tensor) -> Tensor { fc2(fc1(x).geluTanh()) }
}

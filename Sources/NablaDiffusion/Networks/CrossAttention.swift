import NablaNN
import NablaTensor

/// Attention from positions of an image to words of a text; adds nothing at first.
final class CrossAttention: Module {
  @Named("q_proj") var query: Linear
  @Named("k_proj") var key: Linear
  @Named("v_proj") var value: Linear
  @Named("o_proj") var output: Linear
  private let heads: Int

  init(_ width: Int, context: Int, heads: Int, random: inout RandomSource) {
    self.heads = heads
    super.init()
    query = Linear(width, width, random: &random)
    key = Linear(context, width, random: &random)
    value = Linear(context, width, random: &random)
    output = Linear(width, width, bias: true, standardDeviation: 0, random: &random)
  }

  func callAsFunction(_ x: Tensor, _ context: TextContext) -> Tensor {
    func split(_ y: Tensor) -> Tensor { y.reshaped([y.shape[0], y.shape[1], heads, y.shape[2] / heads]) }
    let mixed = Tensor.attention(
      queries: split(query(x)), keys: split(key(context.states)), values: split(value(context.states)),
      mask: AttentionMask(keyLengths: context.lengths))
    return output(mixed.reshaped(x.shape))
  }
}

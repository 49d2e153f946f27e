import NablaTensor

/// How a condition (a diffusion time step, a class) modulates one sublayer of a block: AdaLN-Zero of Peebles & Xie
/// 2023, "Scalable Diffusion Models with Transformers",
///
///     x ← x + gate · f((1 + scale) · norm(x) + shift)
///
/// with shift, scale and gate from a linear layer of the condition. Its weights are initialized to 0, so the block
/// starts as the identity.
public struct Modulation {
  /// [B, 1, C]: the same for every position of an example.
  public let shift, scale, gate: Tensor

  /// (1 + scale) · x + shift, for x [B, T, C].
  public func callAsFunction(_ x: Tensor) -> Tensor { x * (1 + scale) + shift }

  /// The linear layer that `all` calls, zero at the start: [condition width] → [3 · count · C].
  static func layer(condition: Int, width: Int, count: Int) -> Linear {
    Linear(weight: .zeros([3 * count * width, condition]), bias: .zeros([3 * count * width]))
  }

  /// The modulations of a block's sublayers from a condition [B, condition width]: `layer` of its SiLU, in the order
  /// shift, scale, gate of the first sublayer, then of the next.
  static func all(_ condition: Tensor, _ layer: Linear, width: Int) -> [Modulation] {
    let y = layer(condition.cast(.float32).silu()).expandedDimension(at: 1)
    let parts = y.split(Array(repeating: width, count: y.shape[2] / width), axis: 2)
    return stride(from: 0, to: parts.count, by: 3).map {
      Modulation(shift: parts[$0], scale: parts[$0 + 1], gate: parts[$0 + 2])
    }
  }
}

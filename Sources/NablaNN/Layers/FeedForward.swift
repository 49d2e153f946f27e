import NablaTensor

/// The function between a block's two feed-forward layers.
public enum FeedForwardKind: String, Sendable, Codable, CaseIterable {
  /// silu(gate) · up: three matrices (Shazeer 2020).
  case swiglu
  /// GELU in its tanh approximation, as in GPT-2.
  case gelu
  /// The original transformer's.
  case relu
}

/// down(f(up(x))): a block's transformation of each position by itself. [..., width] → [..., width].
public final class FeedForward: Module {
  @Named("gate_proj") public var gate: Linear?
  @Named("up_proj") public var up: Linear
  @Named("down_proj") public var down: Linear
  public let kind: FeedForwardKind

  /// - Parameters:
  ///   - width: of input and output.
  ///   - hidden: the hidden size.
  ///   - kind: the activation, and whether a gate multiplies it.
  ///   - bias: whether the linear layers have biases, initially 0.
  ///   - standardDeviation: of the other layers' initial weights.
  ///   - outputDeviation: standard deviation of the last layer's initial weights.
  ///   - random: draws the weights.
  public init(
    width: Int, hidden: Int, kind: FeedForwardKind, bias: Bool, standardDeviation: Float, outputDeviation: Float,
    random: inout RandomSource
  ) {
    self.kind = kind
    super.init()
    func linear(_ inputs: Int, _ outputs: Int, _ deviation: Float) -> Linear {
      Linear(inputs, outputs, bias: bias, standardDeviation: deviation, random: &random)
    }
    gate = kind == .swiglu ? linear(width, hidden, standardDeviation) : nil
    up = linear(width, hidden, standardDeviation)
    down = linear(hidden, width, outputDeviation)
  }

  public func callAsFunction(_ x: Tensor, residual: Tensor? = nil) -> Tensor {
    let hidden =
      switch kind {
      case .swiglu: [gate!, up].packed(x)?.swiglu() ?? gate!(x).silu() * up(x)
      case .gelu: up(x).geluTanh()
      case .relu: up(x).relu()
      }
    return down(hidden, residual: residual)
  }
}

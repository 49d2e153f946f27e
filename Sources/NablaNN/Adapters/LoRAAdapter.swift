import NablaTensor

/// A low-rank update of one linear layer's weight W: [out, in].
///
///     ΔW = s·B·A                                             LoRA
///     W' = m ⊙ (W + s·B·A) / ‖W + s·B·A‖ (by rows)           DoRA: m is learned too
///     ΔW = s·(B·A - B₀·A₀)                                   PiSSA: B₀·A₀ is the start of B·A, so that W may stay
public final class LoRAAdapter: Module {
  /// A: [r, in].
  @Parameter public var down: Tensor
  /// B: [out, r].
  @Parameter public var up: Tensor
  /// m: [out]; nil but for DoRA.
  @Parameter public var magnitude: Tensor?
  public let configuration: LoRAConfiguration
  /// PiSSA's initial factors; frozen.
  public let start: (down: Tensor, up: Tensor)?
  /// ‖w‖² of each row of a weight, which is frozen, but may be replaced.
  private var squares: (weight: Tensor, sums: Tensor)?
  /// The random source of dropout; nil turns dropout off. Not advanced by a forward pass, so that a recomputed pass
  /// (see `checkpoint`) drops the same elements: the trainer sets a new one for each pass.
  public var dropoutSource: RandomSource?

  /// A newly initialized adapter: it changes nothing yet.
  public init(_ weight: Tensor, _ configuration: LoRAConfiguration, random: inout RandomSource) {
    let (outputs, inputs, r) = (weight.shape[0], weight.shape[1], configuration.rank)
    self.configuration = configuration
    switch configuration.initialization {
    case .standard:
      let bound = 1 / Float(inputs).squareRoot()
      down = random.uniform([r, inputs], in: -bound..<bound)
      up = .zeros([outputs, r])
      start = nil
    case .gaussian:
      down = random.normal([r, inputs], standardDeviation: 1 / Float(r))
      up = .zeros([outputs, r])
      start = nil
    case .pissa:
      // W ≈ U·S·Vᵀ: A = √(S/s)·Vᵀ and B = U·√(S/s), so that s·B·A is that.
      let svd = SingularValueDecomposition(weight, rank: r, random: &random)
      let roots = Tensor(svd.singularValues.map { Float(($0 / Double(configuration.scale)).squareRoot()) })
      let (down, up) = ((svd.v.tensor * roots).transposed(), svd.u.tensor * roots)
      start = (down, up)
      self.down = down
      self.up = up
    }
    magnitude = nil
    super.init()
    if configuration.usesMagnitude { magnitude = norms(beside: weight) }
  }

  /// An adapter with given values, as loaded from a file.
  public init(down: Tensor, up: Tensor, magnitude: Tensor?, _ configuration: LoRAConfiguration) {
    (self.configuration, start) = (configuration, nil)
    self.down = down
    self.up = up
    self.magnitude = magnitude
  }

  /// The same values in a separate module.
  init(copying other: LoRAAdapter) {
    (configuration, start) = (other.configuration, other.start)
    down = other.down.stopGradient()  // Optimizers write only to memory with one owner: these values are not changed.
    up = other.up.stopGradient()
    magnitude = other.magnitude?.stopGradient()
  }

  public var scale: Float { configuration.scale }

  /// A and B as multiplied: with PiSSA, A stacked on A₀ and B next to -B₀.
  public var factors: (down: Tensor, up: Tensor) {
    guard let start else { return (down, up) }
    return (.concatenate([down, start.down], axis: 0), .concatenate([up, -start.up], axis: 1))
  }

  /// s·B·A, if that is all that the adapter does: not with a magnitude, nor where dropout is on.
  var update: LowRankUpdate? { magnitude == nil && !drops ? product : nil }

  private var product: LowRankUpdate {
    let (down, up) = factors
    return LowRankUpdate(down: down, up: up, scale: scale)
  }

  private var drops: Bool { configuration.dropout > 0 && dropoutSource != nil }

  /// x·W'ᵀ + b, plus the residual.
  func apply(
    to x: Tensor, _ weight: Tensor, _ bias: Tensor?, residual: Tensor?, output: DType?
  ) -> Tensor {
    var dropped: Tensor?
    if drops, var source = dropoutSource {
      dropped = x.inComputeType.dropout(configuration.dropout, random: &source)
    }
    guard let magnitude else {
      return x.linear(
        [weight], biases: bias.map { [$0] }, updates: [product], updateInput: dropped, residual: residual,
        output: output)
    }
    // The norm is a constant to gradients (Liu et al. 2024, section 4.3): less memory, nearly the same result.
    let share = magnitude / norms(beside: weight)
    let z = dropped ?? x
    var y = share * z.linear([weight], updates: [product], output: .float32)
    // Dropout applies only to the adapter's input; the weight itself sees all of x.
    if let dropped { y = y + (x.linear(weight, output: .float32) - dropped.linear(weight, output: .float32)) }
    if let bias { y = y + bias }
    if let residual { return y + residual }
    return y.cast(output ?? x.inComputeType.dtype)
  }

  /// ‖W + s·B·A‖ by rows, [out], without the sum: ‖w‖² + 2s·b·(A·w) + s²·b·(A·Aᵀ)·bᵀ.
  private func norms(beside weight: Tensor) -> Tensor {
    withoutGradient {
      let (a, b, s) = (down.stopGradient(), up.stopGradient(), Tensor(scale))
      if squares == nil || squares!.weight.storage !== weight.storage || squares!.weight.pointer != weight.pointer {
        let rows = stride(from: 0, to: weight.shape[0], by: 256).map {
          weight.stopGradient()[$0..<min($0 + 256, weight.shape[0])].cast(.float32).square().sum(axis: 1)
        }
        squares = (weight.stopGradient(), .concatenate(rows))
      }
      let mixed = (b * a.linear(weight.stopGradient()).transposed()).sum(axis: 1)
      let own = (b.matmul(a.matmul(a, transposingOther: true)) * b).sum(axis: 1)
      return Tensor.maximum(squares!.sums + 2 * s * mixed + s * s * own, 0).squareRoot()
    }
  }

  /// W' in float32: [out, in].
  public func merged(into weight: Tensor) -> Tensor {
    withoutGradient {
      let (down, up) = factors
      let sum = weight.stopGradient().cast(.float32) + Tensor(scale) * up.stopGradient().matmul(down.stopGradient())
      guard let magnitude = magnitude?.stopGradient() else { return sum }
      let norms = sum.square().sum(axis: 1).squareRoot()
      return sum * (magnitude / norms).reshaped([magnitude.count, 1])
    }
  }

  /// The singular values of ΔW (of s·B·A, where there is a magnitude).
  public var spectrum: SingularSpectrum {
    let (down, up) = factors
    return SingularSpectrum(ofProduct: up.stopGradient(), down.stopGradient(), scale: Double(scale))
  }
}

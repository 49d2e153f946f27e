import NablaTensor

/// Linear layers with an activation between them, computed in one fused operation (`Tensor.perceptron`).
///
/// ```swift
/// let policy = MultilayerPerceptron([4, 64, 64, 2], gains: [2.squareRoot(), 2.squareRoot(), 0.01], random: &random)
/// let logits = policy(observations)                    // [B, 4] → [B, 2]
/// ```
public final class MultilayerPerceptron: Module {
  @Named public var layers: [Linear]
  public let activation: Activation

  /// - Parameters:
  ///   - widths: the sizes of the input, the hidden layers and the output.
  ///   - activation: between layers; the output has none.
  ///   - gains: the gain of each layer's orthogonal initialization (biases 0); nil for torch.nn.Linear's uniform one.
  ///   - random: draws the weights.
  public init(
    _ widths: [Int], activation: Activation = .tanh, gains: [Float]? = nil, random: inout RandomSource
  ) {
    precondition(widths.count >= 2, "MultilayerPerceptron: \(widths) has no layer")
    precondition(
      gains.map { $0.count == widths.count - 1 } ?? true,
      "MultilayerPerceptron: \(gains!.count) gains for \(widths.count - 1) layers")
    self.activation = activation
    super.init()
    layers = (0..<widths.count - 1).map { l in
      let layer = Linear(widths[l], widths[l + 1], random: &random)
      if let gains {
        layer.weight = random.orthogonal([widths[l + 1], widths[l]], gain: gains[l])
        layer.bias = .zeros([widths[l + 1]])
      }
      return layer
    }
  }

  /// x: [..., inputs] → [..., outputs].
  public func callAsFunction(_ x: Tensor) -> Tensor {
    MultilayerPerceptron.sideBySide([self], x)
  }

  /// The outputs of several networks with one activation side by side, [..., Σ outputs], in one operation.
  package static func sideBySide(_ networks: [MultilayerPerceptron], _ x: Tensor) -> Tensor {
    let activation = networks[0].activation
    let packable = networks.map { $0.layers.compactMap(\.packable) }
    guard
      packable.enumerated().allSatisfy({
        $1.count == networks[$0].layers.count && $1.allSatisfy { $0.bias != nil && $0.update == nil }
      })
    else {
      let outputs = networks.map { network in
        network.layers.dropFirst().reduce(network.layers[0](x)) { y, layer in layer(activation(y)) }
      }
      return outputs.count == 1 ? outputs[0] : Tensor.concatenate(outputs, axis: -1)
    }
    return x.perceptrons(
      packable.map { layers in PerceptronLayers(layers.map(\.weight), layers.map { $0.bias! }) }, activation: activation
    )
  }
}

extension RandomSource {
  /// A matrix with orthonormal rows, or columns if those are fewer, times `gain` (Saxe, McClelland & Ganguli 2014,
  /// "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks"): normal numbers
  /// orthonormalized by Gram-Schmidt, twice, in float64.
  public mutating func orthogonal(_ shape: Shape, gain: Float = 1) -> Tensor {
    precondition(shape.count == 2, "orthogonal: a matrix has two dimensions, not \(shape)")
    let (count, length) = (Swift.min(shape[0], shape[1]), Swift.max(shape[0], shape[1]))
    let numbers = normal([count, length]).array(of: Double.self)
    var rows: [[Double]] = []
    for i in 0..<count {
      var row = Array(numbers[i * length..<(i + 1) * length])
      for _ in 0..<2 {
        for other in rows {
          let product = zip(row, other).reduce(0) { $0 + $1.0 * $1.1 }
          for j in 0..<length { row[j] -= product * other[j] }
        }
        let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
        for j in 0..<length { row[j] /= norm }
      }
      rows.append(row)
    }
    let flat = Tensor(rows.joined().map { Float($0) * gain }, [count, length])
    return shape[0] <= shape[1] ? flat : flat.transposed()
  }
}

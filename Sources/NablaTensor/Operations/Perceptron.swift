import CNablaKernels

/// The activation between the layers of a multilayer perceptron.
public enum Activation: String, Sendable, Codable, CaseIterable {
  case tanh, relu

  package func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .tanh: x.tanh()
    case .relu: x.relu()
    }
  }
}

/// The layers of a multilayer perceptron: weights W_l: [out_l, in_l] and biases b_l: [out_l], float32, where in_l is
/// the out of the layer before.
package struct PerceptronLayers {
  fileprivate let weights: [Tensor]
  fileprivate let biases: [Tensor]

  package init(_ weights: [Tensor], _ biases: [Tensor]) { (self.weights, self.biases) = (weights, biases) }

  fileprivate var outputs: Int { weights[weights.count - 1].shape[0] }
  /// The same layers without their graph nodes.
  fileprivate var constants: PerceptronLayers {
    PerceptronLayers(weights.map { $0.stopGradient() }, biases.map { $0.stopGradient() })
  }
  fileprivate var isRecorded: Bool {
    weights.contains { $0.node != nil } || biases.contains { $0.node != nil }
  }

  /// Whether the kernels support these layers; stops the program if they do not fit each other.
  fileprivate func fit(inputs: Int) -> Bool {
    precondition(
      weights.count == biases.count && !weights.isEmpty,
      "perceptron: \(weights.count) weights and \(biases.count) biases")
    var (width, fits) = (inputs, weights.count <= NABLA_PERCEPTRON_MAX_LAYERS)
    for l in weights.indices {
      let (weight, bias) = (weights[l].shape, biases[l].shape)
      precondition(
        weight.count == 2 && weight[1] == width && bias.count == 1 && bias[0] == weight[0],
        "perceptron: weight \(weight) and bias \(bias) for an input of width \(width)")
      fits = fits && width > 0 && width <= NABLA_PERCEPTRON_MAX_WIDTH
      width = weight[0]
    }
    return fits && width > 0 && width <= NABLA_PERCEPTRON_MAX_WIDTH
  }

  fileprivate func callAsFunction(_ x: Tensor, _ activation: Activation) -> Tensor {
    var y = x.linear(weights[0], bias: biases[0])
    for l in weights.indices.dropFirst() { y = activation(y).linear(weights[l], bias: biases[l]) }
    return y
  }
}

extension Tensor {
  /// A multilayer perceptron: linear layers with an activation between them, y = W_L·a(… a(W₁·x + b₁) …) + b_L.
  ///
  /// One graph node and one kernel call for the whole network, forward and backward: for networks so small that the
  /// overhead of operations would outweigh their arithmetic. The result has the same bits for any number of threads.
  /// Networks with a layer wider than 512, more than 8 layers, or float64 or bfloat16 inputs take the general path.
  ///
  /// - Parameters:
  ///   - weights: W_l: [out_l, in_l], float32, where in_l is the out of the layer before.
  ///   - biases: b_l: [out_l].
  ///   - activation: A.
  /// - Returns: [..., out_L] for self [..., in_1].
  public func perceptron(_ weights: [Tensor], _ biases: [Tensor], activation: Activation = .tanh) -> Tensor {
    perceptrons([PerceptronLayers(weights, biases)], activation: activation)
  }

  /// Several perceptrons with the same input, their outputs side by side: [..., Σ out_L]. One node and one kernel call,
  /// in which the threads share the rows of all networks.
  package func perceptrons(_ networks: [PerceptronLayers], activation: Activation) -> Tensor {
    let inputs = shape.last!
    var fits = dtype == .float32 && networks.count <= NABLA_PERCEPTRON_MAX_NETWORKS
    for network in networks { fits = network.fit(inputs: inputs) && fits }
    guard fits else {
      let outputs = networks.map { $0(self, activation) }
      return outputs.count == 1 ? outputs[0] : Tensor.concatenate(outputs, axis: -1)
    }
    let (rows, networkCount, threads) = (Int64(count / inputs), Int32(networks.count), Int32(Threads.count))
    let y = Tensor(uninitialized: shape.replacing(rank - 1, with: networks.reduce(0) { $0 + $1.outputs }))
    let scratch = networks.withProblem(activation) { problem in
      let scratch = Tensor(uninitialized: [Int(nabla_perceptron_forward_floats(problem, networkCount, rows))])
      nabla_perceptron_forward(problem, networkCount, rows, floats, scratch.floats, y.floats, threads)
      return scratch
    }
    guard nabla_recording_disabled() == 0, node != nil || networks.contains(where: \.isRecorded) else { return y }
    // First that of x, then for each network those of its weights and those of its biases.
    let nodes = [node] + networks.flatMap { $0.weights.map(\.node) + $0.biases.map(\.node) }
    let constants = networks.map(\.constants)
    return y.recorded(nodes: nodes) { [shape] dy, nodes in
      let dx = nodes[0].map { _ in Tensor(uninitialized: [constants.count, shape.elementCount]) }
      let layers = constants.flatMap { zip($0.weights, $0.biases) }
      let dWeights = layers.map { Tensor(uninitialized: $0.0.shape) }
      let dBiases = layers.map { Tensor(uninitialized: $0.1.shape) }
      let dy = dy.cast(.float32)
      constants.withProblem(activation) { problem in
        let workspace = Tensor(uninitialized: [Int(nabla_perceptron_backward_floats(problem, networkCount, rows))])
        nabla_perceptron_backward(
          problem, networkCount, rows, scratch.floats, dy.floats, workspace.floats, dx?.floats,
          dWeights.map { $0.floats as UnsafeMutablePointer<Float>? },
          dBiases.map { $0.floats as UnsafeMutablePointer<Float>? }, threads)
        withExtendedLifetime((dy, workspace)) {}
      }
      if let dx {
        for network in constants.indices { nodes[0]!.accumulate(dx[network].reshaped(shape)) }
      }
      var (place, first) = (1, 0)
      for network in constants {
        let layers = first..<first + network.weights.count
        for gradients in [dWeights, dBiases] {
          for l in layers {
            nodes[place]?.accumulate(gradients[l])
            place += 1
          }
        }
        first = layers.upperBound
      }
    }
  }

  /// The weights [out, in] in the layout of the forward kernels: made once, and again after each optimizer step.
  fileprivate var transposedWeights: Storage {
    if let known = storage.transposed, known.offset == offset, known.shape == shape { return known.weights }
    let (outputs, inputs) = (Int64(shape[0]), Int64(shape[1]))
    let transposed = Tensor(uninitialized: [Int(nabla_perceptron_transposed_floats(inputs, outputs))])
    nabla_perceptron_transpose(inputs, outputs, floats, transposed.floats)
    storage.transposed = (offset, shape, transposed.storage)
    return transposed.storage
  }
}

extension [PerceptronLayers] {
  /// Lends the kernels pointers to all layers and their transposed weights, until `body` returns.
  fileprivate func withProblem<Result>(_ activation: Activation, _ body: ([nabla_perceptron]) -> Result) -> Result {
    var transposed: [Storage] = []
    let problem = map { nabla_perceptron($0, activation, transposed: &transposed) }
    return withExtendedLifetime((self, transposed)) { body(problem) }
  }
}

extension nabla_perceptron {
  /// Pointers to layers and to their transposed weights, which are appended; both must outlive it: see `withProblem`.
  fileprivate init(_ layers: PerceptronLayers, _ activation: Activation, transposed storages: inout [Storage]) {
    self.init()
    layerCount = Int32(layers.weights.count)
    self.activation = activation == .tanh ? NABLA_PERCEPTRON_TANH : NABLA_PERCEPTRON_RELU
    func fill<Field, Element>(_ field: inout Field, _ count: Int, _ element: (Int) -> Element) {
      withUnsafeMutableBytes(of: &field) { bytes in
        let elements = bytes.bindMemory(to: Element.self)
        for l in 0..<count { elements[l] = element(l) }
      }
    }
    let (weights, biases, count) = (layers.weights, layers.biases, layers.weights.count)
    fill(&widths, count + 1) { l in Int32(l == 0 ? weights[0].shape[1] : weights[l - 1].shape[0]) }
    fill(&self.weights, count) { l in UnsafePointer(weights[l].floats) as UnsafePointer<Float>? }
    fill(&transposed, count) { l in
      storages.append(weights[l].transposedWeights)
      return UnsafePointer(storages.last!.pointer.assumingMemoryBound(to: Float.self)) as UnsafePointer<Float>?
    }
    fill(&self.biases, count) { l in UnsafePointer(biases[l].floats) as UnsafePointer<Float>? }
  }
}

import CNablaKernels

/// What stands between the layers of a multilayer perceptron.
public enum Activation: String, Sendable, Codable, CaseIterable {
  case tanh, relu

  fileprivate func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .tanh: x.tanh()
    case .relu: x.relu()
    }
  }
}

extension Tensor {
  /// A multilayer perceptron: linear layers with an activation between them, y = W_L·a(… a(W₁·x + b₁) …) + b_L.
  ///
  /// One record and one kernel call for the whole network, forward and backward: for networks so small that the cost of
  /// operations would outweigh their arithmetic. The result has the same bits for any number of threads. Networks with a
  /// layer wider than 512, more than 8 layers, or float64 or bfloat16 inputs take the general path.
  ///
  /// - Parameters:
  ///   - weights: W_l: [out_l, in_l], float32, where in_l is out of the layer before.
  ///   - biases: b_l: [out_l].
  /// - Returns: [..., out_L] for self [..., in_1].
  public func perceptron(_ weights: [Tensor], _ biases: [Tensor], activation: Activation = .tanh) -> Tensor {
    precondition(
      weights.count == biases.count && !weights.isEmpty,
      "perceptron: \(weights.count) weights and \(biases.count) biases")
    var width = shape.last!
    var fits = weights.count <= NABLA_PERCEPTRON_MAX_LAYERS && dtype == .float32
    for (weight, bias) in zip(weights, biases) {
      precondition(
        weight.rank == 2 && weight.shape[1] == width && bias.shape == [weight.shape[0]],
        "perceptron: weight \(weight.shape) and bias \(bias.shape) for an input of width \(width)")
      fits = fits && width <= NABLA_PERCEPTRON_MAX_WIDTH && width > 0
      width = weight.shape[0]
    }
    fits = fits && width <= NABLA_PERCEPTRON_MAX_WIDTH && width > 0
    guard fits else {
      var y = linear(weights[0], bias: biases[0])
      for (weight, bias) in zip(weights, biases).dropFirst() { y = activation(y).linear(weight, bias: bias) }
      return y
    }
    return fusedPerceptron(weights, biases, activation, width)
  }

  private func fusedPerceptron(
    _ weights: [Tensor], _ biases: [Tensor], _ activation: Activation, _ width: Int
  ) -> Tensor {
    var problem = nabla_perceptron(weights, biases, activation)
    let rows = Int64(count / shape.last!)
    let y = Tensor(uninitialized: shape.replacing(rank - 1, with: width))
    let scratch = Tensor(uninitialized: [Int(nabla_perceptron_forward_floats(&problem, rows))])
    // The problem has pointers to what these hold.
    withExtendedLifetime((weights, biases)) {
      nabla_perceptron_forward(&problem, rows, floats, scratch.floats, y.floats, Int32(Threads.count))
    }
    guard nabla_recording_disabled() == 0,
      node != nil || weights.contains(where: { $0.node != nil }) || biases.contains(where: { $0.node != nil })
    else { return y }
    let (inputs, inputShape) = ([self] + weights + biases, shape)
    let (weights, biases) = (weights.map { $0.stopGradient() }, biases.map { $0.stopGradient() })
    return y.recorded(inputs) { [problem] dy, nodes in
      var problem = problem
      let workspace = Tensor(uninitialized: [Int(nabla_perceptron_backward_floats(&problem, rows))])
      let dx = nodes[0].map { _ in Tensor(uninitialized: inputShape) }
      let dWeights = weights.map { Tensor(uninitialized: $0.shape) }
      let dBiases = biases.map { Tensor(uninitialized: $0.shape) }
      let dy = dy.cast(.float32)
      withExtendedLifetime((weights, dy)) {
        nabla_perceptron_backward(
          &problem, rows, scratch.floats, dy.floats, workspace.floats, dx?.floats,
          dWeights.map { $0.floats as UnsafeMutablePointer<Float>? },
          dBiases.map { $0.floats as UnsafeMutablePointer<Float>? }, Int32(Threads.count))
      }
      if let dx { nodes[0]!.accumulate(dx) }
      for (node, gradient) in zip(nodes.dropFirst(), dWeights + dBiases) { node?.accumulate(gradient) }
    }
  }

  /// The weights [out, in] as the kernels read them going forward: made once, and anew when an optimizer has stepped.
  fileprivate var transposedWeights: Tensor {
    if let known = storage.transposed, known.offset == offset, known.shape == shape { return known.weights }
    let (outputs, inputs) = (Int64(shape[0]), Int64(shape[1]))
    let transposed = Tensor(uninitialized: [Int(nabla_perceptron_transposed_floats(inputs, outputs))])
    nabla_perceptron_transpose(inputs, outputs, floats, transposed.floats)
    storage.transposed = (offset, shape, transposed)
    return transposed
  }
}

extension nabla_perceptron {
  /// Pointers to layers, which must outlive it.
  fileprivate init(_ weights: [Tensor], _ biases: [Tensor], _ activation: Activation) {
    self.init()
    layerCount = Int32(weights.count)
    self.activation = activation == .tanh ? NABLA_PERCEPTRON_TANH : NABLA_PERCEPTRON_RELU
    func fill<Field, Element>(_ field: inout Field, _ count: Int, _ element: (Int) -> Element) {
      withUnsafeMutableBytes(of: &field) { bytes in
        let elements = bytes.bindMemory(to: Element.self)
        for l in 0..<count { elements[l] = element(l) }
      }
    }
    let layers = weights.count
    fill(&widths, layers + 1) { l in Int32(l == 0 ? weights[0].shape[1] : weights[l - 1].shape[0]) }
    fill(&self.weights, layers) { l in UnsafePointer(weights[l].floats) as UnsafePointer<Float>? }
    fill(&transposed, layers) { l in UnsafePointer(weights[l].transposedWeights.floats) as UnsafePointer<Float>? }
    fill(&self.biases, layers) { l in UnsafePointer(biases[l].floats) as UnsafePointer<Float>? }
  }
}

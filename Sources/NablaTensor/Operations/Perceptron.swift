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
    var problem = nabla_perceptron()
    problem.layerCount = Int32(weights.count)
    problem.activation = activation == .tanh ? NABLA_PERCEPTRON_TANH : NABLA_PERCEPTRON_RELU
    withUnsafeMutableBytes(of: &problem.widths) { bytes in
      let widths = bytes.bindMemory(to: Int32.self)
      widths[0] = Int32(shape.last!)
      for (l, bias) in biases.enumerated() { widths[l + 1] = Int32(bias.count) }
    }
    let rows = count / shape.last!
    let threads = Int32(Threads.count)
    let y = Tensor(uninitialized: shape.replacing(rank - 1, with: width))
    let scratch = Tensor(uninitialized: [Int(nabla_perceptron_forward_floats(&problem, Int64(rows)))])
    let weightPointers = weights.map { UnsafePointer($0.floats) as UnsafePointer<Float>? }
    let biasPointers = biases.map { UnsafePointer($0.floats) as UnsafePointer<Float>? }
    nabla_perceptron_forward(
      &problem, Int64(rows), floats, weightPointers, biasPointers, scratch.floats, y.floats, threads)
    guard nabla_recording_disabled() == 0,
      node != nil || weights.contains(where: { $0.node != nil }) || biases.contains(where: { $0.node != nil })
    else { return y }
    let inputShape = shape
    let constants = weights.map { $0.stopGradient() }
    return y.recorded([self] + weights + biases) { dy, nodes in
      var problem = problem
      let workspace = Tensor(uninitialized: [Int(nabla_perceptron_backward_floats(&problem, Int64(rows)))])
      let dx = nodes[0].map { _ in Tensor(uninitialized: inputShape) }
      let dWeights = constants.map { Tensor(uninitialized: $0.shape) }
      let dBiases = constants.map { Tensor(uninitialized: [$0.shape[0]]) }
      let dy = dy.cast(.float32)  // held while the kernel reads it
      let weightPointers = constants.map { UnsafePointer($0.floats) as UnsafePointer<Float>? }
      let dWeightPointers = dWeights.map { $0.floats as UnsafeMutablePointer<Float>? }
      let dBiasPointers = dBiases.map { $0.floats as UnsafeMutablePointer<Float>? }
      nabla_perceptron_backward(
        &problem, Int64(rows), weightPointers, scratch.floats, dy.floats, workspace.floats, dx?.floats,
        dWeightPointers, dBiasPointers, Int32(Threads.count))
      if let dx { nodes[0]!.accumulate(dx) }
      for (l, (dWeight, dBias)) in zip(dWeights, dBiases).enumerated() {
        nodes[1 + l]?.accumulate(dWeight)
        nodes[1 + constants.count + l]?.accumulate(dBias)
      }
    }
  }
}

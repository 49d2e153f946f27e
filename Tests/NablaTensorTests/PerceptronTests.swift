import CNablaKernels
import Dispatch
import Glibc
import NablaTensor
import Synchronization
import Testing

@Suite("Multilayer perceptron")
struct PerceptronTests {
  static func reference(_ inputs: [Reference], _ layers: Int, _ activation: Activation) -> Reference {
    var y = inputs[0]
    let width = y.shape.last!
    y = y.reshaped([y.count / max(width, 1), width])
    for l in 0..<layers {
      y = Reference.matmul(y, inputs[1 + l].transposed) + inputs[1 + layers + l]
      guard l < layers - 1 else { break }
      y.values = y.values.map { activation == .tanh ? tanh($0) : max($0, 0) }
    }
    return y.reshaped(inputs[0].shape.dropLast() + [y.shape[1]])
  }

  static func inputs(_ shape: Shape, _ widths: [Int], seed: Int = 1) -> [Tensor] {
    let dims = [shape.last!] + widths
    let weights = widths.indices.map { l in
      let bound = 2 / Double(dims[l]).squareRoot()
      return Tensor.numbers([dims[l + 1], dims[l]], seed: seed + l, in: -bound...bound)
    }
    let biases = widths.enumerated().map { l, width in Tensor.numbers([width], seed: seed + 50 + l) }
    return [Tensor.numbers(shape, seed: seed + 100)] + weights + biases
  }

  static func perceptron(_ inputs: [Tensor], _ layers: Int, _ activation: Activation) -> Tensor {
    inputs[0].perceptron(
      Array(inputs[1...layers]), Array(inputs[(layers + 1)...]), activation: activation)
  }

  @Test(
    "forward and gradients against float64", arguments: Activation.allCases,
    [
      ([2, 4], [40, 33, 2]), ([1, 1], [1]), ([7, 3], [5, 1]), ([33, 4], [16, 2]), ([1, 3, 5], [17, 9, 3]),
      ([0, 4], [8, 2]), ([9, 6], [13, 7, 9, 11, 4]), ([70, 2], [5, 3]), ([1, 1], [520, 1]),
    ] as [(Shape, [Int])])
  func gradients(_ activation: Activation, _ problem: (shape: Shape, widths: [Int])) {
    checkGradient(
      of: { Self.perceptron($0, problem.widths.count, activation) }, inputs: Self.inputs(problem.shape, problem.widths),
      reference: { Self.reference($0, problem.widths.count, activation) },
      // A central difference may straddle a corner of relu.
      gradientTolerance: activation == .relu ? 2e-3 : 1e-4, step: activation == .relu ? 1e-6 : 1e-4)
  }

  @Test("weights that are parts of one tensor")
  func partsOfOneTensor() {
    let inputs = Self.inputs([33, 24], [24, 24, 24])
    let whole = Tensor.concatenate(Array(inputs[1...3]))
    let parts = [inputs[0]] + (0..<3).map { whole[(24 * $0)..<(24 * $0 + 24)] } + inputs[4...]
    let expected = Self.perceptron(inputs, 3, .tanh).array(of: Float.self)
    for _ in 0..<3 { #expect(Self.perceptron(parts, 3, .tanh).array(of: Float.self) == expected) }
  }

  @Test("weights that several threads use for the first time")
  func firstUseByThreads() {
    for seed in 0..<200 {
      let inputs = Self.inputs([5, 24], [40, 24], seed: seed)
      let expected = Self.perceptron(inputs.map { $0.copy() }, 2, .tanh).array(of: Float.self)
      let results = Mutex<[[Float]]>([])
      DispatchQueue.concurrentPerform(iterations: 4) { _ in
        let y = Self.perceptron(inputs, 2, .tanh).array(of: Float.self)
        results.withLock { $0.append(y) }
      }
      #expect(results.withLock { $0 } == Array(repeating: expected, count: 4))
    }
  }

  @Test("the layers one by one give the same, bfloat16 and more than 8 layers too")
  func generalPath() {
    for (shape, widths) in [([40, 12], [24, 3]), ([9, 4], [8, 8, 8, 8, 8, 8, 8, 8, 2])] as [(Shape, [Int])] {
      let inputs = Self.inputs(shape, widths)
      var y = inputs[0].linear(inputs[1], bias: inputs[1 + widths.count])
      for l in 1..<widths.count { y = y.tanh().linear(inputs[1 + l], bias: inputs[1 + widths.count + l]) }
      expectClose(Self.perceptron(inputs, widths.count, .tanh), Reference(y))
      let halves = [inputs[0].cast(.bfloat16)] + inputs.dropFirst()
      let rough = Self.perceptron(halves, widths.count, .tanh)
      #expect(rough.dtype == .bfloat16)
      expectClose(rough, Reference(y), tolerance: 0.05)
    }
  }

  @Test("a NaN stays, and large numbers saturate")
  func extremes() {
    let inputs = [Tensor([Float.nan, 1e30, -1e30, 0], [4, 1]), .ones([1, 1]), .ones([1, 1]), [0], [0]]
    let y = Self.perceptron(inputs, 2, .tanh).array(of: Float.self)
    #expect(y[0].isNaN)
    #expect(Array(y[1...]) == [1, -1, 0])
  }

  @Test("a batch gives each row what it gets alone, and only asked-for gradients come")
  func rows() {
    let inputs = Self.inputs([77, 5], [19, 3])
    let all = Self.perceptron(inputs, 2, .tanh).array(of: Float.self)
    for row in [0, 1, 31, 32, 76] {
      var one = inputs
      one[0] = inputs[0][row..<row + 1]
      #expect(Self.perceptron(one, 2, .tanh).array(of: Float.self) == Array(all[row * 3..<row * 3 + 3]))
    }
    let (_, gradients) = valueAndGradient(at: [inputs[2]]) { leaves in
      Self.perceptron([inputs[0], inputs[1], leaves[0], inputs[3], inputs[4]], 2, .tanh).sum()
    }
    let (_, full) = valueAndGradient(at: inputs) { Self.perceptron($0, 2, .tanh).sum() }
    #expect(gradients[0].array(of: Float.self) == full[2].array(of: Float.self))
  }

  @Test("weights that share their memory are not mistaken for each other")
  func views() {
    let all = Tensor.numbers([8, 6], seed: 3)
    let x = Tensor.numbers([5, 6], seed: 4)
    for (weight, inputs) in [
      (all, x), (all[0..<4], x), (all[4..<8], x), (all.reshaped([6, 8]), .numbers([5, 8], seed: 5)),
    ] {
      let y = inputs.perceptron([weight], [.zeros([weight.shape[0]])])
      #expect(y.array(of: Float.self) == inputs.perceptron([weight.copy()], [.zeros([weight.shape[0]])]).array())
      expectClose(y, Reference.matmul(Reference(inputs), Reference(weight).transposed))
    }
  }

  @Test(
    "networks side by side give what each gives alone, and add up their input's gradients",
    arguments: [([300, 4], [64, 64, 2], [40, 1]), ([7, 3], [5, 1], [9, 4, 3]), ([5, 4], [520, 2], [8, 1])]
      as [(Shape, [Int], [Int])])
  func sideBySide(_ shape: Shape, _ first: [Int], _ second: [Int]) {
    let (a, b) = (Self.inputs(shape, first), Self.inputs(shape, second, seed: 30))
    let factor = Tensor.numbers([shape[0], first.last! + second.last!], seed: 4)
    func layers(_ tensors: ArraySlice<Tensor>) -> PerceptronLayers {
      let middle = tensors.startIndex + tensors.count / 2
      return PerceptronLayers(Array(tensors[..<middle]), Array(tensors[middle...]))
    }
    let inputs = a + b.dropFirst()
    let together = valueAndGradient(at: inputs) { inputs in
      let y = inputs[0].perceptrons([layers(inputs[1..<a.count]), layers(inputs[a.count...])], activation: .tanh)
      return (y * factor).sum()
    }
    let alone = valueAndGradient(at: inputs) { inputs in
      let parts = [Array(inputs[..<a.count]), [inputs[0]] + inputs[a.count...]]
      let outputs = parts.map { Self.perceptron($0, $0.count / 2, .tanh) }
      return (Tensor.concatenate(outputs, axis: 1) * factor).sum()
    }
    expectClose(together.value, Reference(alone.value))
    for (mine, expected) in zip(together.gradients, alone.gradients) { expectClose(mine, Reference(expected)) }
  }

  /// Every instruction set this CPU has, through the kernel itself.
  @Test("each instruction set", arguments: AttentionKernelTests.isas)
  func instructionSets(_ isa: nabla_attention_isa) {
    let widths = [5, 37, 20, 3]
    let inputs = Self.inputs([45, 5], Array(widths.dropFirst()))
    var problem = nabla_perceptron()
    (problem.layerCount, problem.isa) = (3, isa)
    withUnsafeMutableBytes(of: &problem.widths) { bytes in
      for (l, width) in widths.enumerated() { bytes.bindMemory(to: Int32.self)[l] = Int32(width) }
    }
    let (y, dx) = (Tensor(uninitialized: [45, 3]), Tensor(uninitialized: [45, 5]))
    let dy = Tensor.numbers([45, 3], seed: 9)
    let saved = Tensor(uninitialized: [Int(nabla_perceptron_forward_floats(&problem, 1, 45))])
    let scratch = Tensor(uninitialized: [Int(nabla_perceptron_backward_floats(&problem, 1, 45))])
    let transposed = inputs[1...3].map { weight in
      let (outputs, inputs) = (Int64(weight.shape[0]), Int64(weight.shape[1]))
      let transposed = Tensor(uninitialized: [Int(nabla_perceptron_transposed_floats(inputs, outputs))])
      nabla_perceptron_transpose(inputs, outputs, weight.floats, transposed.floats)
      return transposed
    }
    func point<Field>(_ field: inout Field, _ tensors: [Tensor]) {
      withUnsafeMutableBytes(of: &field) { bytes in
        for (l, tensor) in tensors.enumerated() {
          bytes.bindMemory(to: UnsafePointer<Float>?.self)[l] = UnsafePointer(tensor.floats)
        }
      }
    }
    point(&problem.weights, Array(inputs[1...3]))
    point(&problem.transposed, transposed)
    point(&problem.biases, Array(inputs[4...6]))
    let dWeights = inputs[1...3].map { Tensor(uninitialized: $0.shape) }
    let dBiases = inputs[4...6].map { Tensor(uninitialized: $0.shape) }
    nabla_perceptron_forward(&problem, 1, 45, inputs[0].floats, saved.floats, y.floats, 1)
    nabla_perceptron_backward(
      &problem, 1, 45, saved.floats, dy.floats, scratch.floats, dx.floats,
      dWeights.map { $0.floats as UnsafeMutablePointer<Float>? },
      dBiases.map { $0.floats as UnsafeMutablePointer<Float>? }, 1)
    withExtendedLifetime(transposed) {}
    expectClose(y, Self.reference(inputs.map(Reference.init), 3, .tanh))
    let (_, expected) = valueAndGradient(at: inputs) { inputs in
      let first = inputs[0].linear(inputs[1], bias: inputs[4]).tanh()
      return (first.linear(inputs[2], bias: inputs[5]).tanh().linear(inputs[3], bias: inputs[6]) * dy).sum()
    }
    for (actual, wanted) in zip([dx] + dWeights + dBiases, expected) { expectClose(actual, Reference(wanted)) }
  }
}

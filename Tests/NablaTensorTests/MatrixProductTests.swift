import NablaTensor
import Testing

@Suite("Matrix products")
struct MatrixProductTests {
  struct Sizes: Sendable, CustomTestStringConvertible {
    var batch: [Int]
    var (m, k, n): (Int, Int, Int)
    init(_ batch: [Int], _ m: Int, _ k: Int, _ n: Int) { (self.batch, self.m, self.k, self.n) = (batch, m, k, n) }
    var testDescription: String { "\(batch) \(m)×\(k)×\(n)" }
  }

  static let sizes: [Sizes] = [
    Sizes([], 1, 1, 1), Sizes([], 3, 5, 7), Sizes([], 1, 17, 1), Sizes([], 13, 1, 11), Sizes([], 0, 3, 2),
    Sizes([], 3, 2, 0), Sizes([], 3, 0, 2), Sizes([3], 2, 3, 4), Sizes([2, 3], 5, 4, 3), Sizes([0], 2, 3, 4),
    Sizes([1], 1, 3, 1), Sizes([2, 2], 3, 0, 2), Sizes([2, 1, 2, 1], 2, 3, 2),
  ]

  @Test(
    "value and gradient, all transposes", arguments: sizes,
    [(false, false), (true, false), (false, true), (true, true)])
  func product(_ sizes: Sizes, _ transposed: (Bool, Bool)) {
    let a = Shape(sizes.batch + (transposed.0 ? [sizes.k, sizes.m] : [sizes.m, sizes.k]))
    let b = Shape(sizes.batch + (transposed.1 ? [sizes.n, sizes.k] : [sizes.k, sizes.n]))
    checkGradient(
      of: { $0[0].matmul($0[1], transposingSelf: transposed.0, transposingOther: transposed.1) },
      inputs: [.numbers(a, seed: 1), .numbers(b, seed: 2)],
      reference: { .matmul(transposed.0 ? $0[0].transposed : $0[0], transposed.1 ? $0[1].transposed : $0[1]) })
  }

  @Test(
    "one matrix for a whole batch", arguments: [[2, 3, 4], [2, 2, 3, 4], [0, 3, 4], [2, 3, 0]] as [Shape],
    [false, true])
  func shared(_ shape: Shape, _ transposed: Bool) {
    let k = shape.last!
    checkGradient(
      of: { $0[0].matmul($0[1], transposingOther: transposed) },
      inputs: [.numbers(shape, seed: 1), .numbers(transposed ? [5, k] : [k, 5], seed: 2)],
      reference: { .matmul($0[0], transposed ? $0[1].transposed : $0[1]) })
  }

  /// Beyond the size that our own loops take.
  @Test("large products", arguments: [(129, 67, 131), (1, 1031, 257), (200, 200, 3)])
  func large(_ m: Int, _ k: Int, _ n: Int) {
    for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
      let (a, b) = (Tensor.numbers([m, k], seed: 1), Tensor.numbers([k, n], seed: 2))
      let y = (ta ? a.transposed() : a).matmul(tb ? b.transposed() : b, transposingSelf: ta, transposingOther: tb)
      let (x, z) = (a.array(of: Double.self), b.array(of: Double.self))
      var expected = Array(repeating: 0.0, count: m * n)
      for i in 0..<m { for l in 0..<k { for j in 0..<n { expected[i * n + j] += x[i * k + l] * z[l * n + j] } } }
      expectClose(y, Reference(expected, [m, n]), tolerance: 1e-5)
    }
  }

  @Test(
    "bfloat16", arguments: [Sizes([], 33, 47, 29), Sizes([3], 5, 8, 6)], [(false, false), (true, false), (false, true)])
  func bfloat16(_ sizes: Sizes, _ transposed: (Bool, Bool)) {
    let a = Shape(sizes.batch + (transposed.0 ? [sizes.k, sizes.m] : [sizes.m, sizes.k]))
    let b = Shape(sizes.batch + (transposed.1 ? [sizes.n, sizes.k] : [sizes.k, sizes.n]))
    checkGradientInBfloat16(
      of: { $0[0].matmul($0[1], transposingSelf: transposed.0, transposingOther: transposed.1) },
      inputs: [.numbers(a, seed: 1), .numbers(b, seed: 2)],
      reference: { .matmul(transposed.0 ? $0[0].transposed : $0[0], transposed.1 ? $0[1].transposed : $0[1]) })
  }

  @Test("operands of two types meet in float32")
  func mixed() {
    let (a, b) = (Tensor.numbers([3, 4], seed: 1).cast(.bfloat16), Tensor.numbers([4, 5], seed: 2))
    let y = a.matmul(b)
    #expect(y.dtype == .float32)
    expectClose(y, .matmul(Reference(a), Reference(b)))
    let gradients = valueAndGradient(at: [a, b]) { $0[0].matmul($0[1]).sum() }.gradients
    expectClose(gradients[1], .matmul(Reference(a).transposed, Reference(Array(repeating: 1, count: 15), [3, 5])))
    #expect(gradients[0].dtype == .bfloat16)
  }

  @Test("shapes that do not fit stop the program")
  func mismatch() async {
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 3]).matmul(Tensor.zeros([4, 2])) }
    for bias in [2, 5] {
      await #expect(processExitsWith: .failure) { [bias = bias as Int] in
        _ = Tensor.zeros([2, 3]).linear(Tensor.zeros([4, 3]), bias: .zeros([bias]))
      }
    }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 3]).matmul(Tensor.zeros([3])) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 2, 3]).matmul(Tensor.zeros([3, 3, 2])) }
  }
}

@Suite("Linear layers")
struct LinearTests {
  static func reference(_ x: Reference, _ weights: [Reference], _ biases: [Reference], _ residual: Reference?)
    -> Reference
  {
    let width = weights.reduce(0) { $0 + $1.shape[0] }
    let inputs = x.shape.last!
    return Reference(x.shape.dropLast() + [width]) { index in
      var column = index.last!
      var layer = 0
      while column >= weights[layer].shape[0] {
        column -= weights[layer].shape[0]
        layer += 1
      }
      let sum = (0..<inputs).reduce(0.0) { $0 + x[index.dropLast() + [$1]] * weights[layer][[column, $1]] }
      return sum + (biases.isEmpty ? 0 : biases[layer].values[column]) + (residual?[index] ?? 0)
    }
  }

  static let shapes: [(Shape, [Int])] = [
    ([5], [3]), ([4, 5], [3]), ([2, 3, 5], [3, 1, 4]), ([1, 1], [1]), ([0, 5], [3, 2]), ([4, 0], [3, 2]),
    ([9, 7], [5, 6]),
  ]

  @Test("value and gradient", arguments: shapes, [(false, false), (true, false), (false, true), (true, true)])
  func linear(_ sizes: (Shape, [Int]), _ parts: (bias: Bool, residual: Bool)) {
    let (shape, widths) = sizes
    let count = widths.count
    var inputs = [Tensor.numbers(shape, seed: 1)]
    for (i, width) in widths.enumerated() { inputs.append(.numbers([width, shape.last!], seed: 2 + i)) }
    if parts.bias { for (i, width) in widths.enumerated() { inputs.append(.numbers([width], seed: 12 + i)) } }
    if parts.residual {
      inputs.append(.numbers(shape.replacing(shape.count - 1, with: widths.reduce(0, +)), seed: 22))
    }
    checkGradient(
      of: { x in
        x[0].linear(
          Array(x[1...count]), biases: parts.bias ? Array(x[(1 + count)...(2 * count)]) : nil,
          residual: parts.residual ? x.last! : nil)
      }, inputs: inputs,
      reference: { x in
        Self.reference(
          x[0], Array(x[1...count]), parts.bias ? Array(x[(1 + count)...(2 * count)]) : [],
          parts.residual ? x.last! : nil)
      })
  }

  /// Beyond the size that our own loops take. Gradients by their formulas: central differences would take minutes.
  @Test("large layers")
  func large() {
    let (x, w, b) = (
      Tensor.numbers([61, 67], seed: 1), Tensor.numbers([71, 67], seed: 2), Tensor.numbers([71], seed: 3)
    )
    let dy = Tensor.numbers([61, 71], seed: 4)
    expectClose(x.linear(w, bias: b), .matmul(Reference(x), Reference(w).transposed) + Reference(b))
    let gradients = valueAndGradient(at: [x, w, b]) { ($0[0].linear($0[1], bias: $0[2]) * dy).sum() }.gradients
    expectClose(gradients[0], .matmul(Reference(dy), Reference(w)))
    expectClose(gradients[1], .matmul(Reference(dy).transposed, Reference(x)))
    expectClose(gradients[2], Reference(dy).alongAxis(0, drops: true) { [$0.reduce(0, +)] })
  }

  @Test("bfloat16 activations, float32 weights", arguments: [false, true])
  func bfloat16(_ residual: Bool) {
    let x = Tensor.numbers([6, 19], seed: 1).cast(.bfloat16)
    let w = [Tensor.numbers([7, 19], seed: 2), Tensor.numbers([5, 19], seed: 3)]
    let b = [Tensor.numbers([7], seed: 4), Tensor.numbers([5], seed: 5)]
    let r = Tensor.numbers([6, 12], seed: 6)
    let y = x.linear(w, biases: b, residual: residual ? r : nil)
    #expect(y.dtype == (residual ? .float32 : .bfloat16))
    checkGradient(
      of: { $0[0].linear([$0[1], $0[2]], biases: [$0[3], $0[4]], residual: residual ? $0[5] : nil) },
      inputs: [x, w[0], w[1], b[0], b[1]] + (residual ? [r] : []),
      reference: { Self.reference($0[0], [$0[1], $0[2]], [$0[3], $0[4]], residual ? $0[5] : nil) },
      tolerance: Tolerance.bfloat16, gradientTolerance: 2 * Tolerance.bfloat16)
  }

  @Test("a gradient in a shared weight adds up in place")
  func sharedWeight() {
    let (x, w) = (Tensor.numbers([4, 6], seed: 1), Tensor.numbers([6, 6], seed: 2))
    checkGradient(
      of: { $0[0].linear($0[1]).linear($0[1]).linear($0[1]) }, inputs: [x, w],
      reference: { inputs in
        (0..<3).reduce(inputs[0]) { y, _ in .matmul(y, inputs[1].transposed) }
      }, tolerance: 4e-5)
  }

  @Test("the bfloat16 copy of part of a weight is not taken for that of the whole")
  func copyOfAPart() {
    let x = Tensor.numbers([3, 8], seed: 1).cast(.bfloat16)
    let w = Tensor.numbers([16, 8], seed: 2)
    for range in [0..<4, 8..<16, 0..<16] {
      let part = w[range]
      expectClose(
        x.linear(part), .matmul(Reference(x), Reference(part.cast(.bfloat16)).transposed),
        tolerance: Tolerance.bfloat16, "rows \(range)")
    }
  }
}

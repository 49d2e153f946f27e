import Glibc
import NablaTensor
import Testing

struct BinaryCase: Sendable, CustomTestStringConvertible {
  let name: String
  let ours: @Sendable (Tensor, Tensor) -> Tensor
  let reference: @Sendable (Double, Double) -> Double
  var range = -2.0...2.0
  var testDescription: String { name }

  static let all: [BinaryCase] = [
    .init(name: "add", ours: { $0 + $1 }, reference: { $0 + $1 }),
    .init(name: "subtract", ours: { $0 - $1 }, reference: { $0 - $1 }),
    .init(name: "multiply", ours: { $0 * $1 }, reference: { $0 * $1 }),
    .init(name: "divide", ours: { $0 / $1 }, reference: { $0 / $1 }, range: 0.5...2),
    .init(name: "pow", ours: { Tensor.pow($0, $1) }, reference: { pow($0, $1) }, range: 0.5...2),
    .init(name: "maximum", ours: { Tensor.maximum($0, $1) }, reference: { max($0, $1) }),
    .init(name: "minimum", ours: { Tensor.minimum($0, $1) }, reference: { min($0, $1) }),
    .init(name: "meanSquaredError", ours: { ($0 - $1).square() }, reference: { ($0 - $1) * ($0 - $1) }),
  ]
}

@Suite("Functions of two numbers")
struct BinaryTests {
  @Test("with a number on either side") func numbers() {
    let (x, c) = (Tensor.numbers([3, 5], in: 0.5...2), Float(0.7))
    let cases: [(@Sendable (Tensor) -> Tensor, @Sendable (Double) -> Double)] = [
      ({ $0 + c }, { $0 + Double(c) }), ({ c + $0 }, { Double(c) + $0 }), ({ $0 - c }, { $0 - Double(c) }),
      ({ c - $0 }, { Double(c) - $0 }), ({ $0 * c }, { $0 * Double(c) }), ({ c * $0 }, { Double(c) * $0 }),
      ({ $0 / c }, { $0 / Double(c) }), ({ c / $0 }, { Double(c) / $0 }), ({ 2 * $0 - 1 }, { 2 * $0 - 1 }),
    ]
    for (ours, reference) in cases {
      checkGradient(of: { ours($0[0]) }, inputs: [x], reference: { $0[0].map(reference) })
    }
  }

  static let shapes: [[Shape]] = [
    [[], []], [[1], [1]], [[5], [5]], [[3, 7], [3, 7]], [[0], [0]], [[2, 0], [1, 1]], [[0, 3], [3]],
    [[3, 4], []], [[], [3, 4]], [[3, 4], [1]], [[1, 1], [4]], [[3, 4], [4]], [[4], [3, 4]], [[3, 4], [3, 1]],
    [[3, 1], [3, 4]], [[3, 1], [1, 4]], [[1, 4], [3, 1]], [[2, 3, 4], [3, 1]], [[2, 3, 4], [2, 1, 4]],
    [[2, 1, 4], [5, 1]], [[2, 3, 1, 5], [1, 3, 2, 1]], [[1, 2, 1, 3, 1, 2], [2, 1, 2, 1, 2, 1]], [[1, 1], []],
    [[11, 13], [11, 1]],
  ]

  @Test("value and gradient with broadcasting", arguments: BinaryCase.all, shapes)
  func broadcasting(_ function: BinaryCase, _ shapes: [Shape]) {
    checkGradient(
      of: { function.ours($0[0], $0[1]) },
      inputs: [.numbers(shapes[0], seed: 1, in: function.range), .numbers(shapes[1], seed: 2, in: function.range)],
      reference: { .zip2($0[0], $0[1], function.reference) })
  }

  @Test("bfloat16", arguments: BinaryCase.all)
  func bfloat16(_ function: BinaryCase) {
    checkGradientInBfloat16(
      of: { function.ours($0[0], $0[1]) },
      inputs: [.numbers([17, 5], seed: 1, in: function.range), .numbers([5], seed: 2, in: function.range)],
      reference: { .zip2($0[0], $0[1], function.reference) }, tolerance: 0.03)
    let (a, b) = (Tensor.numbers([4]).cast(.bfloat16), Tensor.numbers([4]))
    #expect((a + a).dtype == .bfloat16 && (a + b).dtype == .float32)
  }

  @Test("large operands on several threads")
  func large() {
    let (a, b) = (Tensor.numbers([301, 401], seed: 1), Tensor.numbers([401], seed: 2))
    let (x, y, sum) = (a.array(of: Float.self), b.array(of: Float.self), (a + b).array(of: Float.self))
    #expect(sum.indices.allSatisfy { sum[$0] == x[$0] + y[$0 % 401] })
    let c = Tensor.numbers([301, 1], seed: 3)
    let (z, product) = (c.array(of: Float.self), (a * c).array(of: Float.self))
    #expect(product.indices.allSatisfy { product[$0] == x[$0] * z[$0 / 401] })
  }

  @Test("equal operands share the gradient of maximum and minimum")
  func ties() {
    let (a, b) = (Tensor([Float(1), 2, 3]), Tensor([Float(1), 3, 2]))
    let up = valueAndGradient(at: [a, b]) { Tensor.maximum($0[0], $0[1]).sum() }.gradients
    #expect(up[0].array() == [0.5, 0, 1] as [Float] && up[1].array() == [0.5, 1, 0] as [Float])
    let down = valueAndGradient(at: [a, b]) { Tensor.minimum($0[0], $0[1]).sum() }.gradients
    #expect(down[0].array() == [0.5, 1, 0] as [Float] && down[1].array() == [0.5, 0, 1] as [Float])
  }

  @Test("comparisons")
  func comparisons() {
    let (a, b) = (Tensor([Float(1), 2, 3, .nan]), Tensor([Float(2), 2, 2, .nan]))
    #expect(Tensor.equal(a, b).array() == [0, 1, 0, 0] as [Float])
    #expect(Tensor.less(a, b).array() == [1, 0, 0, 0] as [Float])
    #expect(Tensor.lessOrEqual(a, b).array() == [1, 1, 0, 0] as [Float])
  }

  @Test(
    "select",
    arguments: [
      [[3, 4], [3, 4], [3, 4]], [[3, 1], [1, 4], [3, 4]], [[4], [3, 4], []], [[], [2], [3, 1]], [[0], [0], [1]],
    ] as [[Shape]])
  func select(_ shapes: [Shape]) {
    var numbers = Numbers(4)
    let condition = numbers.integers(shapes[0], below: 2).cast(.float32)
    let c = Reference(condition)
    checkGradient(
      of: { Tensor.select(condition, $0[0], $0[1]) },
      inputs: [.numbers(shapes[1], seed: 5), .numbers(shapes[2], seed: 6)],
      reference: { inputs in
        let pairs = Reference.zip2(inputs[0], inputs[1]) { a, _ in a }
        let others = Reference.zip2(inputs[0], inputs[1]) { _, b in b }
        return Reference.zip2(c, pairs) { $0 * $1 }
          + Reference.zip2(c, others) { (1 - $0) * $1 }
      })
  }

  @Test("select takes no NaN from the side not chosen")
  func selectIgnoresTheOther() {
    let x = Tensor([Float(-1), 4])
    let (y, gradients) = valueAndGradient(at: [x]) { inputs in
      Tensor.select(Tensor.less(0, inputs[0]), inputs[0].square(), Tensor.full([2], .nan).stopGradient() * 0 + 7)[1..<2]
        .sum()
    }
    #expect(y.item() == 16 && gradients[0].array() == [0, 8] as [Float])
  }

  @Test(
    "broadcast", arguments: [[[3, 1], [3, 4]], [[], [2, 2]], [[4], [2, 3, 4]], [[1, 1], [0, 5]]] as [[Shape]])
  func broadcast(_ shapes: [Shape]) {
    let target = Array(shapes[1])
    checkGradient(
      of: { $0[0].broadcast(to: shapes[1]) }, inputs: [.numbers(shapes[0])],
      reference: { x in Reference(target) { x[0].broadcast(at: $0) } })
  }

  @Test("shapes that do not broadcast stop the program")
  func mismatch() async {
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([3]) + Tensor.zeros([4]) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 3]).broadcast(to: [3]) }
  }
}

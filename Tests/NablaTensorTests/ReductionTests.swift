import Glibc
import NablaTensor
import Testing

struct ReductionCase: Sendable, CustomTestStringConvertible {
  let name: String
  let ours: @Sendable (_ x: Tensor, _ axis: Int, _ keeping: Bool) -> Tensor
  let reference: @Sendable ([Double]) -> Double
  var testDescription: String { name }

  static let all: [ReductionCase] = [
    .init(name: "sum", ours: { $0.sum(axis: $1, keepingDimension: $2) }, reference: { $0.reduce(0, +) }),
    .init(
      name: "mean", ours: { $0.mean(axis: $1, keepingDimension: $2) },
      reference: { $0.reduce(0, +) / Double($0.count) }),
    .init(
      name: "variance", ours: { $0.variance(axis: $1, keepingDimension: $2) },
      reference: { line in
        let mean = line.reduce(0, +) / Double(line.count)
        return line.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(line.count)
      }),
    .init(name: "max", ours: { $0.max(axis: $1, keepingDimension: $2) }, reference: { $0.max()! }),
    .init(name: "min", ours: { $0.min(axis: $1, keepingDimension: $2) }, reference: { $0.min()! }),
  ]
}

@Suite("Reductions")
struct ReductionTests {
  static let axes: [(Shape, Int)] = [
    ([1], 0), ([7], 0), ([7], -1), ([3, 5], 0), ([3, 5], 1), ([2, 3, 4], 1), ([2, 3, 4], -1), ([1, 1, 3], 2),
    ([2, 1, 2, 3, 2, 1], 3), ([0, 3], 1), ([3, 17], -2), ([2, 131], 1),
  ]

  @Test("value and gradient along an axis", arguments: ReductionCase.all, axes)
  func along(_ reduction: ReductionCase, _ place: (Shape, Int)) {
    let (shape, axis) = place
    for keeping in [false, true] {
      checkGradient(
        of: { reduction.ours($0[0], axis, keeping) }, inputs: [.numbers(shape, seed: 7)],
        reference: { $0[0].alongAxis(axis, drops: !keeping) { [reduction.reference($0)] } })
    }
  }

  @Test("bfloat16 input", arguments: ReductionCase.all)
  func bfloat16(_ reduction: ReductionCase) {
    checkGradientInBfloat16(
      of: { reduction.ours($0[0], 1, false) }, inputs: [.numbers([5, 33], seed: 8)],
      reference: { $0[0].alongAxis(1, drops: true) { [reduction.reference($0)] } })
  }

  @Test("the sum of nothing is 0")
  func empty() {
    #expect(Tensor.zeros([0]).sum().item() == 0)
    #expect(Tensor.zeros([3, 0]).sum(axis: 1).array() == [0, 0, 0] as [Float])
    #expect(Tensor.zeros([0, 3]).sum(axis: 0).array() == [0, 0, 0] as [Float])
  }

  @Test("sum and mean of all", arguments: [[], [1], [5, 7], [2, 3, 4, 5]] as [Shape])
  func all(_ shape: Shape) {
    checkGradient(
      of: { $0[0].sum() }, inputs: [.numbers(shape)], reference: { Reference([$0[0].values.reduce(0, +)], []) })
    checkGradient(
      of: { $0[0].mean() }, inputs: [.numbers(shape)],
      reference: { Reference([$0[0].values.reduce(0, +) / Double($0[0].count)], []) })
  }

  /// A running sum of these is 3% off. How near sums of blocks come depends on the length of vectors.
  @Test("long sums do not drift")
  func long() {
    let n = 3_000_017
    let y = Tensor.full([n], 0.1).sum().item()
    #expect(abs(Double(y) / (Double(Float(0.1)) * Double(n)) - 1) < 1e-5)
  }

  @Test("many long columns", arguments: [(1000, 67), (67, 1000)])
  func columns(_ rows: Int, _ width: Int) {
    let x = Tensor.numbers([rows, width], in: 0...1)
    expectClose(x.sum(axis: 0), Reference(x).alongAxis(0, drops: true) { [$0.reduce(0, +)] }, tolerance: 2e-6)
    expectClose(x.sum(axis: 1), Reference(x).alongAxis(1, drops: true) { [$0.reduce(0, +)] }, tolerance: 2e-6)
  }

  @Test("equal largest elements share the gradient")
  func ties() {
    let x = Tensor([Float(3), 1, 3, 3, 2, 2], [2, 3])
    let up = valueAndGradient(at: [x]) { $0[0].max(axis: 1).sum() }.gradients[0]
    expectClose(up, Reference([0.5, 0, 0.5, 1, 0, 0], [2, 3]))
    let down = valueAndGradient(at: [x]) { $0[0].min(axis: 1).sum() }.gradients[0]
    expectClose(down, Reference([0, 1, 0, 0, 0.5, 0.5], [2, 3]))
  }

  @Test("cumulative sum", arguments: axes)
  func cumulative(_ shape: Shape, _ axis: Int) {
    checkGradient(
      of: { $0[0].cumulativeSum(axis: axis) }, inputs: [.numbers(shape, seed: 9)],
      reference: {
        $0[0].alongAxis(axis) { line in
          var sum = 0.0
          return line.map { element in
            sum += element
            return sum
          }
        }
      })
  }

  @Test("argmax takes the first of equals")
  func argmax() {
    let x = Tensor([Float(1), 5, 5, -3, -3, -4], [2, 3])
    #expect(x.argmax(axis: 1).array(of: Int32.self) == [1, 0] as [Int32])
    #expect(x.argmax(axis: 0).array(of: Int32.self) == [0, 0, 0] as [Int32])
    let large = Tensor.numbers([37, 101], seed: 4)
    let expected = Reference(large).alongAxis(1, drops: true) { line in [Double(line.firstIndex(of: line.max()!)!)] }
    expectClose(large.argmax(axis: 1).cast(.float32), expected)
    expectClose(
      large.argmax(axis: 0).cast(.float32),
      Reference(large).alongAxis(0, drops: true) { line in [Double(line.firstIndex(of: line.max()!)!)] })
  }

  @Test("the k largest, in order", arguments: [1, 2, 5, 31])
  func topK(_ k: Int) {
    var numbers = Numbers(3)
    // Few distinct values, so that equal ones abound: they keep their order.
    let x = numbers.integers([5, 31], below: 7).cast(.float32)
    let (values, indices) = x.topK(k)
    #expect(values.shape == [5, k] && indices.shape == [5, k] && indices.dtype == .int32)
    let rows = Reference(x)
    for row in 0..<5 {
      let order = (0..<31).sorted { a, b in
        let (u, v) = (rows[[row, a]], rows[[row, b]])
        return u == v ? a < b : u > v
      }
      let places = indices.array(of: Int32.self)[row * k..<(row + 1) * k].map(Int.init)
      #expect(places == Array(order.prefix(k)))
      #expect(values.array(of: Double.self)[row * k..<(row + 1) * k].elementsEqual(places.map { rows[[row, $0]] }))
    }
  }

  @Test("sorting puts NaN last, and none is nothing")
  func sorting() {
    let (values, indices) = Tensor([Float.nan, 1, .infinity, -.infinity, 2]).sortedDescending()
    #expect(indices.array(of: Int32.self) == [2, 4, 1, 3, 0] as [Int32] && values.array(of: Float.self)[4].isNaN)
    #expect(Tensor.zeros([3, 4]).topK(0).values.shape == [3, 0])
    #expect(Tensor.zeros([0, 4]).topK(2).values.shape == [0, 2])
  }
}

import Glibc
import NablaTensor
import Testing

@Suite("Softmax family")
struct SoftmaxTests {
  static let shapes: [Shape] = [[1], [5], [3, 1], [3, 4], [2, 3, 7], [0, 4], [2, 257], [1, 2, 1, 3, 1, 5]]

  static func softmax(_ x: Reference) -> Reference {
    x.alongAxis(-1) { line in
      let total = line.reduce(0) { $0 + exp($1 - line.max()!) }
      return line.map { exp($0 - line.max()!) / total }
    }
  }

  @Test("softmax", arguments: shapes)
  func softmax(_ shape: Shape) {
    checkGradient(
      of: { $0[0].softmax() }, inputs: [.numbers(shape, in: -3...3)], reference: { Self.softmax($0[0]) },
      tolerance: 1e-6, gradientTolerance: 2e-6)
  }

  @Test("logSoftmax", arguments: shapes)
  func logSoftmax(_ shape: Shape) {
    checkGradient(
      of: { $0[0].logSoftmax() }, inputs: [.numbers(shape, in: -3...3)],
      reference: { Self.softmax($0[0]).map { log($0) } })
  }

  @Test("logSumExp", arguments: shapes)
  func logSumExp(_ shape: Shape) {
    checkGradient(
      of: { $0[0].logSumExp() }, inputs: [.numbers(shape, in: -3...3)],
      reference: { $0[0].alongAxis(-1, drops: true) { [log($0.reduce(0) { $0 + exp($1) })] } })
  }

  @Test("bfloat16 input")
  func bfloat16() {
    checkGradientInBfloat16(
      of: { $0[0].softmax() }, inputs: [.numbers([3, 9], in: -3...3)], reference: { Self.softmax($0[0]) })
    checkGradientInBfloat16(
      of: { $0[0].logSoftmax() }, inputs: [.numbers([3, 9], in: -3...3)],
      reference: { Self.softmax($0[0]).map { log($0) } })
  }

  /// Logits of 10⁴ leave 10 bits behind the point: what is computed must not be added to them first.
  @Test("log-softmax of large logits") func largeLogits() {
    for shift in [1e4, -1e4, 1e6] as [Float] {
      let x = Tensor.numbers([5, 37], in: -3...3).scaledShifted(1, shift)
      let rows = x.array(of: Double.self)
      for (row, y) in x.logSoftmax().array(of: Double.self).enumerated() where row % 37 == 0 {
        let logits = rows[row..<row + 37]
        let largest = logits.max()!
        let expected = (rows[row] - largest) - log(logits.reduce(0) { $0 + exp($1 - largest) })
        #expect(abs(y - expected) < 2e-6, "\(shift): \(y), \(expected)")
      }
    }
  }

  @Test("rows of a large table add up to one")
  func large() {
    let x = Tensor.numbers([97, 5003], in: -20...20)
    for sum in x.softmax().sum(axis: 1).array(of: Float.self) { #expect(abs(sum - 1) < 2e-6) }
  }
}

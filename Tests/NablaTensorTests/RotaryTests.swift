import Glibc
import NablaTensor
import Testing

@Suite("Rotary embedding and SwiGLU")
struct RotaryTests {
  struct Case: Sendable {
    var batch = 2
    var time = 3
    var heads = 2
    var size = 8
    var rotated = 8
    /// Columns beyond the heads, which pass unchanged.
    var extra = 0
    var offset = 0
  }
  static let cases: [Case] = [
    Case(), Case(time: 1, offset: 5), Case(rotated: 4, extra: 6, offset: 2),
    Case(batch: 1, heads: 1, size: 2, rotated: 2),
    Case(batch: 0), Case(heads: 3, size: 5, rotated: 2, extra: 1), Case(heads: 1, size: 64, rotated: 64, extra: 64),
  ]

  @Test("value and gradient", arguments: cases, [RotaryPairing.half, .interleaved])
  func rotary(_ c: Case, _ pairing: RotaryPairing) {
    let frequencies = (0..<c.rotated / 2).map { pow(100.0, -2.0 * Double($0) / Double(c.rotated)) }
    let table = RotaryTable(frequencies: frequencies, positions: 16, pairing: pairing, scale: 1.25)
    let width = c.heads * c.size + c.extra
    let reference = { (x: [Reference]) -> Reference in
      Reference(x[0].shape) { index in
        let (column, head) = (index[2] % c.size, index[2] / c.size)
        guard head < c.heads, column < c.rotated else { return x[0][index] }
        let half = c.rotated / 2
        let pair = pairing == .half ? column % half : column / 2
        let first = pairing == .half ? column < half : column % 2 == 0
        let partner = pairing == .half ? (first ? column + half : column - half) : (first ? column + 1 : column - 1)
        let angle = Double(c.offset + index[1]) * frequencies[pair]
        let other = x[0][[index[0], index[1], head * c.size + partner]]
        return 1.25 * (x[0][index] * cos(angle) + (first ? -other : other) * sin(angle))
      }
    }
    let operation = { (x: [Tensor]) in x[0].rotary(table, heads: c.heads, headSize: c.size, offset: c.offset) }
    checkGradient(of: operation, inputs: [.numbers([c.batch, c.time, width])], reference: reference)
    checkGradientInBfloat16(of: operation, inputs: [.numbers([c.batch, c.time, width])], reference: reference)
  }

  /// Each row by its own position: what a table with that offset does to it alone.
  @Test("positions of their own") func positions() {
    let table = RotaryTable(frequencies: [1, 0.3], positions: 9)
    let positions: [Int32] = [0, 1, 2, 0, 1, 8]
    let x = Tensor.numbers([2, 3, 10])
    let rows = positions.enumerated().map { row, position in
      x.reshaped([6, 1, 10])[row..<row + 1].rotary(table, heads: 2, headSize: 4, offset: Int(position))
    }
    let operation = { (x: [Tensor]) in
      x[0].rotary(table, heads: 2, headSize: 4, positions: Tensor(positions, [2, 3]))
    }
    expectClose(operation([x]), Reference(Tensor.concatenate(rows).reshaped([2, 3, 10])), tolerance: 0)
    checkGradient(
      of: operation, inputs: [x],
      reference: { x in
        Reference(x[0].shape) { index in
          let (head, column) = (index[2] / 4, index[2] % 4)
          guard head < 2 else { return x[0][index] }
          let angle = Double(positions[index[0] * 3 + index[1]]) * [1, 0.3][column % 2]
          let other = x[0][[index[0], index[1], head * 4 + (column + 2) % 4]]
          return x[0][index] * cos(angle) + (column < 2 ? -other : other) * sin(angle)
        }
      })
  }

  @Test("positions outside the table, or heads in a dimension of their own, stop the program")
  func outside() async {
    await #expect(processExitsWith: .failure) {
      let table = RotaryTable(frequencies: [1, 0.5, 0.25, 0.1], positions: 8)
      let positions = Tensor([Int32(0), 1, 2, 3])
      _ = Tensor.zeros([1, 4, 8, 2]).rotary(table, heads: 1, headSize: 8, positions: positions)
    }
    await #expect(processExitsWith: .failure) {
      let table = RotaryTable(frequencies: [1], positions: 4)
      _ = Tensor.zeros([1, 2, 2]).rotary(table, heads: 1, headSize: 2, offset: 3)
    }
    await #expect(processExitsWith: .failure) {
      let table = RotaryTable(frequencies: [1], positions: 4)
      _ = Tensor.zeros([1, 2, 2]).rotary(table, heads: 1, headSize: 2, offset: -1)
    }
    await #expect(processExitsWith: .failure) {
      let table = RotaryTable(frequencies: [1], positions: 4)
      _ = Tensor.zeros([1, 2, 2]).rotary(table, heads: 1, headSize: 2, positions: Tensor([Int32(0), 4]))
    }
  }

  @Test("SwiGLU", arguments: [[2], [3, 8], [2, 2, 6], [0, 4], [3, 1030]] as [Shape])
  func swiglu(_ shape: Shape) {
    let width = shape.last! / 2
    let reference = { (x: [Reference]) in
      Reference(shape.dropLast() + [width]) { index in
        let gate = x[0][index]
        return gate / (1 + exp(-gate)) * x[0][index.dropLast() + [width + index.last!]]
      }
    }
    checkGradient(of: { $0[0].swiglu() }, inputs: [.numbers(shape, in: -4...4)], reference: reference)
    checkGradientInBfloat16(of: { $0[0].swiglu() }, inputs: [.numbers(shape, in: -4...4)], reference: reference)
  }
}

import Glibc
import NablaTensor
import Testing

/// The longest texts: too long for a whole reference, so that some rows of each result are computed in float64.
@Suite("Attention over 32,768 positions")
struct LongAttentionTests {
  private let time = 32_768
  private let size = 16

  private func numbers(_ seed: Int) -> Tensor { .numbers([1, time, 1, size], seed: seed, in: -2...2) }

  @Test("causal, forward and backward")
  func causal() {
    let (q, k, v, dy) = (numbers(1), numbers(2), numbers(3), numbers(4))
    var result = q
    Memory.resetPeak()
    let before = Memory.statistics.current
    let (_, gradients) = valueAndGradient(at: [q, k, v]) {
      let y = Tensor.attention(queries: $0[0], keys: $0[1], values: $0[2], mask: .causal)
      result = y.stopGradient()
      return (y * dy).sum()
    }
    // Weights of all pairs would take 4 GiB.
    #expect(Memory.statistics.peak - before < 1 << 30)

    let rows = [q, k, v, dy].map { $0.array(of: Float.self).map(Double.init) }
    let found = ([result] + gradients).map { $0.array(of: Float.self).map(Double.init) }
    func row(_ x: [Double], _ i: Int) -> ArraySlice<Double> { x[i * size..<(i + 1) * size] }
    func product(_ a: some Sequence<Double>, _ b: some Sequence<Double>) -> Double {
      zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
    }

    let scale = 1 / Double(size).squareRoot()
    // The last keys are seen by the last queries only.
    let last = time - 40..<time
    var (dk, dv) = ([Double](repeating: 0, count: 40 * size), [Double](repeating: 0, count: 40 * size))
    for i in [0, 1, 63, 64, 1000, 16_383] + last {
      let scores = (0...i).map { scale * product(row(rows[0], i), row(rows[1], $0)) }
      let highest = scores.max()!
      let sum = scores.reduce(0) { $0 + exp($1 - highest) }
      let weights = scores.map { exp($0 - highest) / sum }
      let inner = (0...i).map { product(row(rows[3], i), row(rows[2], $0)) }  // dy · v_j
      let mean = product(weights, inner)
      // Rounding errors of float32 sums grow as the root of the number of terms.
      let bound = max(2e-6, 3e-7 * Double(i + 1).squareRoot())
      for c in 0..<size {
        let y = (0...i).reduce(0) { $0 + weights[$1] * rows[2][$1 * size + c] }
        let dq = (0...i).reduce(0) { $0 + scale * weights[$1] * (inner[$1] - mean) * rows[1][$1 * size + c] }
        #expect(abs(found[0][i * size + c] - y) < bound)
        #expect(abs(found[1][i * size + c] - dq) < bound)
      }
      for j in last where i >= last.lowerBound && j <= i {
        for c in 0..<size {
          let at = (j - last.lowerBound) * size + c
          dk[at] += scale * weights[j] * (inner[j] - mean) * rows[0][i * size + c]
          dv[at] += weights[j] * rows[3][i * size + c]
        }
      }
    }
    for at in dk.indices {
      #expect(abs(found[2][last.lowerBound * size + at] - dk[at]) < 1e-5)
      #expect(abs(found[3][last.lowerBound * size + at] - dv[at]) < 1e-5)
    }
  }
}

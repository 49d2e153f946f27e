import NablaTensor
import Testing

/// Packed rows through attention against their examples alone.
@Suite struct SegmentTests {
  struct Case: Sendable {
    var lengths: [[Int]]
    var time: Int
    var heads = 4
    var keyValueHeads = 2
    var causal = true
    var window: Int?
  }
  static let cases: [Case] = [
    Case(lengths: [[5, 9, 2], [16]], time: 16),
    Case(lengths: [[5, 9], [7, 1, 1, 1]], time: 17, causal: false),
    Case(lengths: [[100, 70, 130]], time: 300, heads: 3, keyValueHeads: 1),
    Case(lengths: [[60, 64], [128]], time: 128, keyValueHeads: 4, window: 17),
  ]

  @Test(arguments: cases, [DType.float32, .bfloat16]) func packedIsAlone(_ c: Case, _ type: DType) throws {
    let width = (c.heads + 2 * c.keyValueHeads) * 8
    let x = Tensor.numbers([c.lengths.count, c.time, width], seed: 1, in: -2...2).cast(type)
    let upstream = Tensor.numbers([c.lengths.count, c.time, c.heads * 8], seed: 2)
    let segments = Segments(lengths: c.lengths, time: c.time)
    func attend(_ x: Tensor, _ segments: Segments?) -> Tensor {
      x.packedAttention(
        heads: c.heads, keyValueHeads: c.keyValueHeads,
        mask: AttentionMask(causal: c.causal, window: c.window, segments: segments))
    }
    let packed = valueAndGradient(at: [x]) { (attend($0[0], segments) * upstream).sum() }
    let out = attend(x, segments)
    let tolerance = type == .float32 ? 2e-6 : 0.01
    for (row, lengths) in c.lengths.enumerated() {
      var start = 0
      for length in lengths {
        func own(_ x: Tensor) -> Tensor { x[row..<row + 1].slice(start..<start + length, axis: 1) }
        let alone = valueAndGradient(at: [own(x)]) { (attend($0[0], nil) * own(upstream)).sum() }
        expectClose(own(out), Reference(attend(own(x), nil)), tolerance: tolerance)
        expectClose(own(packed.gradients[0]), Reference(alone.gradients[0]), tolerance: 3 * tolerance)
        start += length
      }
    }
  }

  /// A prefix with several branches against each branch alone behind the prefix; the prefix's gradient is the sum.
  @Test(
    arguments: [(40, [20, 7, 33]), (130, [128, 64, 300]), (1, [5, 5]), (6, [0, 9, 0, 70])], [DType.float32, .bfloat16])
  func branchesSeeThePrefixAndThemselves(_ fork: (prefix: Int, branches: [Int]), _ type: DType) throws {
    let (heads, groups, size) = (4, 2, 8)
    // Another example comes before the fork, and padding after it.
    let (before, after) = (9, 3)
    let (prefix, length) = (fork.prefix, fork.prefix + fork.branches.reduce(0, +))
    let time = before + length + after
    let x = Tensor.numbers([1, time, (heads + 2 * groups) * size], seed: 1, in: -2...2).cast(type)
    let upstream = Tensor.numbers([1, time, heads * size], seed: 2)
    let segments = Segments(
      forks: [[.init(prefix: 0, branches: [before]), .init(prefix: prefix, branches: fork.branches)]], time: time)
    func attend(_ x: Tensor, _ segments: Segments?) -> Tensor {
      x.packedAttention(
        heads: heads, keyValueHeads: groups, mask: AttentionMask(causal: true, segments: segments))
    }
    let packed = valueAndGradient(at: [x]) { (attend($0[0], segments) * upstream).sum() }
    let out = attend(x, segments)
    func columns(_ x: Tensor, _ range: Range<Int>) -> Tensor { x.slice(range, axis: 1) }
    let tolerance = type == .float32 ? 2e-6 : 0.01

    // What the prefix gets from its own places, and then from each branch.
    func alone(_ branch: Range<Int>, weight: Float) -> (out: Tensor, gradient: Tensor) {
      let both = { (x: Tensor) in
        Tensor.concatenate([columns(x, before..<before + prefix), columns(x, branch)], axis: 1)
      }
      let weights = Tensor.concatenate(
        [columns(upstream, before..<before + prefix) * Tensor(weight), columns(upstream, branch)], axis: 1)
      let input = both(x)
      let (_, gradients) = valueAndGradient(at: [input]) { (attend($0[0], nil) * weights).sum() }
      return (attend(input, nil), gradients[0])
    }
    var (start, sum) = (before + prefix, alone(time..<time, weight: 1).gradient.cast(.float32))
    for branch in fork.branches {
      let range = start..<start + branch
      let (own, gradient) = alone(range, weight: 0)
      expectClose(columns(out, range), Reference(columns(own, prefix..<prefix + branch)), tolerance: tolerance)
      expectClose(
        columns(packed.gradients[0], range), Reference(columns(gradient, prefix..<prefix + branch)),
        tolerance: 3 * tolerance)
      sum = sum + columns(gradient, 0..<prefix).cast(.float32)
      #expect(
        columns(segments.positions, range).array(of: Int32.self) == (0..<branch).map { Int32(prefix + $0) })
      start += branch
    }
    expectClose(
      columns(packed.gradients[0], before..<before + prefix), Reference(sum),
      tolerance: (type == .float32 ? 6e-6 : 0.03) * Double(fork.branches.count))
  }

  @Test func idsAndLengthsSayTheSame() {
    let ids = Segments(ids: Tensor([3, 3, 7, 7, 7, 0, 1, 1, 1, 1, 1, 1] as [Int32], [2, 6]))
    let lengths = Segments(lengths: [[2, 3], [6]], time: 6)
    #expect(ids.positions.array(of: Int32.self) == [0, 1, 0, 1, 2, 0, 0, 1, 2, 3, 4, 5])
    #expect(lengths.positions.array(of: Int32.self) == ids.positions.array(of: Int32.self))
    #expect(ids.shape == [2, 6])
    // The two places of padding are segments of their own.
    let padded = Segments(lengths: [[2]], time: 4)
    #expect(padded.positions.array(of: Int32.self) == [0, 1, 0, 0])
  }

  @Test func badSizesStopTheProgram() async {
    await #expect(processExitsWith: .failure) { _ = Segments(lengths: [[3, 2]], time: 4) }
    // Branches need causal attention without a window.
    await #expect(processExitsWith: .failure) {
      let segments = Segments(forks: [[.init(prefix: 1, branches: [2, 2])]], time: 5)
      _ = Tensor.zeros([1, 5, 6]).packedAttention(
        heads: 1, keyValueHeads: 1, mask: AttentionMask(causal: true, window: 2, segments: segments))
    }
    await #expect(processExitsWith: .failure) {
      let mask = AttentionMask(segments: Segments(lengths: [[4]], time: 4))
      _ = Tensor.zeros([1, 5, 6]).packedAttention(heads: 1, keyValueHeads: 1, mask: mask)
    }
  }
}

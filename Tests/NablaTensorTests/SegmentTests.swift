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
    await #expect(processExitsWith: .failure) {
      let mask = AttentionMask(segments: Segments(lengths: [[4]], time: 4))
      _ = Tensor.zeros([1, 5, 6]).packedAttention(heads: 1, keyValueHeads: 1, mask: mask)
    }
  }
}

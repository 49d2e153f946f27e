import CNablaKernels
import Testing

/// The fused attention kernels against the naive float64 reference, and the reference against first principles.
@Suite struct AttentionKernelTests {
  static let isas: [nabla_attention_isa] = [
    NABLA_ATTENTION_BASELINE, NABLA_ATTENTION_AVX2, NABLA_ATTENTION_AVX512,
  ].filter { $0.rawValue <= nabla_attention_best_isa().rawValue }
  static let lengths = [1, 2, 7, 16, 63, 64, 65, 130]
  static let headSizes = [16, 33, 64, 80, 128, 256]
  static let heads = [(3, 3), (4, 2), (3, 1)]

  /// Every length with every head size, the masks, groupings and key lengths taken in turn.
  static let sizeCases: [AttentionCase] = lengths.enumerated().flatMap { i, queries in
    headSizes.enumerated().map { j, headSize in
      let n = i * headSizes.count + j
      let (h, g) = headSize < 128 ? heads[n % 3] : (2, 1)
      return AttentionCase(
        batch: headSize < 128 ? 1 + n % 2 : 1, heads: h, keyValueHeads: g, queries: queries,
        keys: n % 2 == 0 ? queries : lengths[(i + 3 * j + 1) % lengths.count], headSize: headSize,
        causal: n % 3 != 0, window: n % 5 == 1 ? 9 : 0, keyLengths: n % 7 == 3, bias: n % 4 == 2)
    }
  }

  /// Every mask with every grouping.
  static let maskCases: [AttentionCase] = (0..<16).flatMap { mask in
    heads.enumerated().map { i, heads in
      AttentionCase(
        batch: 2, heads: heads.0, keyValueHeads: heads.1, queries: [33, 70, 5][(mask + i) % 3],
        keys: [140, 70, 40][(mask / 4 + i) % 3], headSize: [16, 40][mask % 2], causal: mask & 1 != 0,
        window: mask & 2 != 0 ? [1, 20, 65][i] : 0, keyLengths: mask & 4 != 0, bias: mask & 8 != 0)
    }
  }

  /// Several tiles and splits of the keys, with windows that leave the first ones unseen.
  static let longCases: [AttentionCase] = [
    AttentionCase(
      batch: 1, heads: 2, keyValueHeads: 1, queries: 400, keys: 400, headSize: 16, causal: true, window: 40),
    AttentionCase(
      batch: 2, heads: 2, keyValueHeads: 2, queries: 150, keys: 500, headSize: 16, window: 300, keyLengths: true),
    AttentionCase(
      batch: 1, heads: 1, keyValueHeads: 1, queries: 300, keys: 290, headSize: 20, causal: true, bias: true),
    AttentionCase(
      batch: 2, heads: 4, keyValueHeads: 2, queries: 1, keys: 1300, headSize: 40, causal: true, keyLengths: true),
    AttentionCase(
      batch: 1, heads: 4, keyValueHeads: 1, queries: 8, keys: 1100, headSize: 32, causal: true, window: 530,
      bias: true),
  ]

  /// Packed rows: examples that end inside of tiles, many in one tile, and one over several.
  static let segmentCases: [AttentionCase] = [
    AttentionCase(
      batch: 2, heads: 4, keyValueHeads: 2, queries: 70, keys: 70, headSize: 16, causal: true, segments: [5, 33, 1, 31]),
    AttentionCase(
      batch: 1, heads: 3, keyValueHeads: 1, queries: 300, keys: 300, headSize: 20, causal: true,
      segments: [130, 64, 100, 6]),
    AttentionCase(
      batch: 2, heads: 2, keyValueHeads: 2, queries: 290, keys: 290, headSize: 33, segments: [200, 3, 2, 85]),
    AttentionCase(
      batch: 1, heads: 2, keyValueHeads: 1, queries: 280, keys: 280, headSize: 16, causal: true, window: 20,
      segments: [150, 10, 120]),
    AttentionCase(
      batch: 2, heads: 2, keyValueHeads: 1, queries: 140, keys: 140, headSize: 16, keyLengths: true,
      segments: [60, 40, 40], bias: true),
    AttentionCase(
      batch: 1, heads: 1, keyValueHeads: 1, queries: 40, keys: 40, headSize: 16, causal: true,
      segments: Array(repeating: 1, count: 40)),
  ]

  @Test(arguments: segmentCases, isas) func segments(_ shape: AttentionCase, _ isa: nabla_attention_isa) {
    for bfloat16 in [false, true] {
      let data = AttentionData(shape, bfloat16: bfloat16)
      let (reference, fused) = (data.reference(), data.fused(isa: isa, threads: 2))
      #expect(maximumError(fused.out, reference.out) <= (bfloat16 ? 4e-3 : 2e-6))
      #expect(maximumError(fused.lse, reference.lse) <= 4e-6)
      #expect(maximumError(fused.dq, reference.dq) <= (bfloat16 ? 1.5e-2 : 1e-5))
      #expect(maximumError(fused.dk, reference.dk) <= (bfloat16 ? 1.5e-2 : 1e-5))
      #expect(maximumError(fused.dv, reference.dv) <= (bfloat16 ? 8e-3 : 4e-6))
      #expect(data.fused(isa: isa, threads: 3) == data.fused(isa: isa, threads: 1))
    }
  }

  @Test(arguments: sizeCases + maskCases + longCases, [false, true])
  func matchesReference(_ shape: AttentionCase, bfloat16: Bool) {
    let data = AttentionData(shape, bfloat16: bfloat16)
    let reference = data.reference()
    // The kernels of the instruction sets take turns: neighbouring cases differ little.
    let turn = shape.queries + shape.headSize + shape.keys + (bfloat16 ? 1 : 0)
    let fused = data.fused(isa: Self.isas[turn % Self.isas.count], threads: 2)
    // bfloat16 has 8 bits: results are rounded to 2^-9, and the backward starts from the rounded output.
    #expect(maximumError(fused.out, reference.out) <= (bfloat16 ? 4e-3 : 2e-6))
    #expect(maximumError(fused.lse, reference.lse) <= 4e-6)
    #expect(maximumError(fused.dq, reference.dq) <= (bfloat16 ? 1.5e-2 : 1e-5))
    #expect(maximumError(fused.dk, reference.dk) <= (bfloat16 ? 1.5e-2 : 1e-5))
    #expect(maximumError(fused.dv, reference.dv) <= (bfloat16 ? 8e-3 : 4e-6))
  }

  /// The same bits for 1, 2 and 3 threads, whether threads share a head (few heads) or not (many).
  @Test(
    arguments: [
      AttentionCase(batch: 1, heads: 1, keyValueHeads: 1, queries: 300, keys: 430, headSize: 32, causal: true),
      AttentionCase(batch: 1, heads: 4, keyValueHeads: 2, queries: 270, keys: 270, headSize: 20, window: 150),
      AttentionCase(batch: 4, heads: 3, keyValueHeads: 3, queries: 140, keys: 140, headSize: 16, causal: true),
      AttentionCase(batch: 1, heads: 4, keyValueHeads: 2, queries: 2, keys: 1300, headSize: 64, causal: true),
    ], [false, true])
  func bitsDoNotDependOnThreads(_ shape: AttentionCase, bfloat16: Bool) {
    let data = AttentionData(shape, bfloat16: bfloat16)
    let one = data.fused(threads: 1)
    for threads in [2, 3, 2, 3] as [Int32] { #expect(data.fused(threads: threads) == one) }
  }

  /// A query that sees no key gives zeros and passes no gradient; -∞ in the bias masks too.
  @Test(arguments: [false, true]) func unseenIsZero(bfloat16: Bool) {
    // 40 queries, 10 keys, causal: queries 0..<30 come before the first key.
    let shape = AttentionCase(
      batch: 1, heads: 2, keyValueHeads: 2, queries: 40, keys: 10, headSize: 16, causal: true)
    for isa in Self.isas {
      let result = AttentionData(shape, bfloat16: bfloat16).fused(isa: isa, threads: 2)
      #expect(result.out[..<(30 * 2 * 16)].allSatisfy { $0 == 0 })
      #expect(result.dq[..<(30 * 2 * 16)].allSatisfy { $0 == 0 })
      #expect(result.lse[..<30].allSatisfy { $0 == -.infinity })
      #expect((result.dk + result.dv + result.out + result.dq).allSatisfy { $0.isFinite })
      #expect(result.out[(30 * 2 * 16)...].contains { $0 != 0 })
    }
    for queries in [3, 40] {
      let hidden = AttentionCase(
        batch: 1, heads: 1, keyValueHeads: 1, queries: queries, keys: 10, headSize: 16, bias: true,
        biasValue: -.infinity)
      let result = AttentionData(hidden, bfloat16: bfloat16).fused(threads: 1)
      #expect((result.out + result.dq + result.dk + result.dv).allSatisfy { $0 == 0 })
    }
  }

  /// Keys beyond a batch's length are never read: what lies there, NaN included, changes nothing.
  @Test(arguments: [3, 40]) func paddingIsNotRead(queries: Int) {
    let shape = AttentionCase(
      batch: 2, heads: 2, keyValueHeads: 1, queries: queries, keys: 90, headSize: 16, keyLengths: true)
    let clean = AttentionData(shape, bfloat16: false)
    let before = clean.fused(threads: 1)
    clean.poisonPadding()
    #expect(clean.fused(threads: 1) == before)
    #expect(before.out.allSatisfy { $0.isFinite })
  }

  /// NaN in the input must reach the output, or a broken model would look healthy.
  @Test(arguments: [2, 40]) func nanSpreads(queries: Int) {
    let shape = AttentionCase(
      batch: 1, heads: 1, keyValueHeads: 1, queries: queries, keys: 40, headSize: 16)
    for isa in Self.isas {
      let data = AttentionData(shape, bfloat16: false)
      data.k.storeBytes(of: Float.nan, toByteOffset: 0, as: Float.self)
      #expect(data.fused(isa: isa, threads: 1).out.allSatisfy { $0.isNaN })
    }
  }

  /// Large scores neither overflow nor lose the maximum.
  @Test func largeScores() {
    var shape = AttentionCase(batch: 1, heads: 1, keyValueHeads: 1, queries: 70, keys: 200, headSize: 32)
    shape.scale = 100
    let data = AttentionData(shape, bfloat16: false)
    let reference = data.reference()
    // float32 scores of about 1000 are known to 1e-4, which the exponential turns into a relative error.
    #expect(maximumError(data.fused(threads: 2).out, reference.out) <= 2e-3)
  }

  /// The reference itself: weights by hand. Scores 0 and ln 3 give 1/4 and 3/4.
  @Test func referenceByHand() {
    let data = AttentionData(
      AttentionCase(batch: 1, heads: 1, keyValueHeads: 1, queries: 1, keys: 2, headSize: 1), bfloat16: false)
    data.q.storeBytes(of: 1, as: Float.self)
    let values: [Float] = [0, 1.0986123, 8, 4]  // k0, k1 and then, in their own buffer, v0, v1
    for i in 0..<2 {
      data.k.storeBytes(of: values[i], toByteOffset: 4 * i, as: Float.self)
      data.v.storeBytes(of: values[2 + i], toByteOffset: 4 * i, as: Float.self)
    }
    let reference = data.reference()
    #expect(maximumError(reference.weights, [0.25, 0.75]) < 1e-7)
    #expect(maximumError(reference.out, [5]) < 1e-6)
    #expect(maximumError(reference.lse, [1.3862943611]) < 1e-7)
  }

  /// The reference's gradients are its central differences.
  @Test(arguments: [
    AttentionCase(batch: 2, heads: 2, keyValueHeads: 1, queries: 4, keys: 5, headSize: 3, causal: true),
    AttentionCase(
      batch: 1, heads: 2, keyValueHeads: 2, queries: 5, keys: 5, headSize: 2, window: 2, keyLengths: true, bias: true),
  ])
  func referenceGradients(_ shape: AttentionCase) {
    let data = AttentionData(shape, bfloat16: false)
    let analytic = data.reference()
    func loss() -> Double {
      let out = data.reference().out
      return (0..<out.count).reduce(0) { $0 + out[$1] * Double(data.dout.load(fromByteOffset: 4 * $1, as: Float.self)) }
    }
    for (buffer, gradient) in [(data.q, analytic.dq), (data.k, analytic.dk), (data.v, analytic.dv)] {
      for i in 0..<gradient.count {
        let x = buffer.load(fromByteOffset: 4 * i, as: Float.self)
        let (high, low) = (x + 0x1p-10, x - 0x1p-10)
        buffer.storeBytes(of: high, toByteOffset: 4 * i, as: Float.self)
        let above = loss()
        buffer.storeBytes(of: low, toByteOffset: 4 * i, as: Float.self)
        let below = loss()
        buffer.storeBytes(of: x, toByteOffset: 4 * i, as: Float.self)
        #expect(abs((above - below) / (Double(high) - Double(low)) - gradient[i]) < 1e-5)
      }
    }
  }

  /// Nothing to do is not an error.
  @Test func emptyShapes() {
    for (batch, queries, keys) in [(0, 3, 3), (1, 0, 3), (1, 3, 0), (1, 40, 0)] {
      let shape = AttentionCase(
        batch: batch, heads: 1, keyValueHeads: 1, queries: queries, keys: keys, headSize: 16, causal: true)
      let result = AttentionData(shape, bfloat16: false).fused(threads: 2)
      #expect((result.out + result.dq + result.dk + result.dv).allSatisfy { $0 == 0 })
    }
  }

  /// q, k, v and their gradients in place in one packed buffer [B, T, (H + 2G) · D] give what separate buffers give.
  @Test(arguments: [5, 70]) func packedBuffer(length: Int) {
    let shape = AttentionCase(
      batch: 2, heads: 4, keyValueHeads: 2, queries: length, keys: length, headSize: 24, causal: true)
    let data = AttentionData(shape, bfloat16: false)
    let separate = data.fused(threads: 2)
    let (h, g, d, t) = (4, 2, 24, length)
    let width = (h + 2 * g) * d
    var packed = [Float](repeating: 0, count: 2 * t * width), gradients = packed
    for row in 0..<(2 * t) {
      for c in 0..<(h * d) {
        packed[row * width + c] = data.q.load(fromByteOffset: 4 * (row * h * d + c), as: Float.self)
      }
      for c in 0..<(g * d) {
        packed[row * width + h * d + c] = data.k.load(fromByteOffset: 4 * (row * g * d + c), as: Float.self)
        packed[row * width + (h + g) * d + c] = data.v.load(fromByteOffset: 4 * (row * g * d + c), as: Float.self)
      }
    }
    var out = [Float](repeating: 0, count: 2 * t * h * d), lse = [Float](repeating: 0, count: 2 * h * t)
    data.withProblem(NABLA_ATTENTION_BEST) { problem in
      packed.withUnsafeBytes { packed in
        gradients.withUnsafeMutableBytes { gradients in
          out.withUnsafeMutableBytes { out in
            func view(_ offset: Int) -> nabla_attention_view {
              nabla_attention_view(
                data: packed.baseAddress! + 4 * offset, batchStride: Int64(t * width), timeStride: Int64(width),
                headStride: Int64(d))
            }
            func output(_ offset: Int) -> nabla_attention_output {
              nabla_attention_output(
                data: gradients.baseAddress! + 4 * offset, batchStride: Int64(t * width), timeStride: Int64(width),
                headStride: Int64(d))
            }
            let (q, k, v) = (view(0), view(h * d), view((h + g) * d))
            nabla_attention_forward(problem, q, k, v, data.output(out.baseAddress!, t, h), &lse, 2)
            nabla_attention_backward(
              problem, q, k, v, data.view(out.baseAddress!, t, h), lse, data.view(data.dout, t, h), output(0),
              output(h * d), output((h + g) * d), 2)
          }
        }
      }
    }
    #expect(out.map(Double.init) == separate.out)
    for row in 0..<(2 * t) {
      let at = row * width
      #expect(gradients[at..<(at + h * d)].map(Double.init) == Array(separate.dq[(row * h * d)..<((row + 1) * h * d)]))
      #expect(
        gradients[(at + h * d)..<(at + (h + g) * d)].map(Double.init)
          == Array(separate.dk[(row * g * d)..<((row + 1) * g * d)]))
      #expect(
        gradients[(at + (h + g) * d)..<(at + width)].map(Double.init)
          == Array(separate.dv[(row * g * d)..<((row + 1) * g * d)]))
    }
  }
}

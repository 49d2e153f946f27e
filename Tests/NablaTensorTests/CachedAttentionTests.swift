import CNablaKernels
import Glibc
import NablaTensor
import Testing

/// The paged cache's kernels, each instruction set, against the formula in float64.
@Suite struct CachedAttentionTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var type: nabla_cache_type
    var heads = 3
    var group = 1
    var headSize = 16
    var window = 0
    var bfloat16 = false
    var testDescription: String {
      "type \(type.rawValue) G\(heads) H/G \(group) D\(headSize) window \(window)\(bfloat16 ? " bfloat16" : "")"
    }
  }

  static let cases: [Case] = [NABLA_CACHE_FLOAT32, NABLA_CACHE_BFLOAT16, NABLA_CACHE_INT8].flatMap { type in
    [
      Case(type: type), Case(type: type, group: 3, headSize: 64), Case(type: type, heads: 1, group: 7, headSize: 20),
      Case(type: type, heads: 2, group: 4, headSize: 128, window: 300), Case(type: type, heads: 2, headSize: 1),
      Case(type: type, heads: 1, group: 2, headSize: 256, window: 37),
      Case(type: type, heads: 2, group: 5, headSize: 80, bfloat16: true),
    ]
  }
  static let lengths = [1, 2, 63, 64, 65, 130, 256, 257, 700]
  /// A row for each sequence, then some that share the pages of the last but one or the last, more than a task takes.
  static let rows: [(sequence: Int, length: Int)] =
    lengths.enumerated().map { ($0, $1) } + (0..<5).map { (7, 257 - $0) } + (0..<21).map { (8, 700 - $0 % 4 * 45) }

  /// Pages of sequences, written in runs of uneven lengths.
  final class Pages {
    let c: Case
    private(set) var memory: [UnsafeMutableRawPointer] = []
    private(set) var first: [Int32] = []
    let bytes: Int

    init(_ c: Case) {
      self.c = c
      bytes = c.heads * Int(nabla_cache_head_bytes(c.type, Int32(c.headSize)))
    }
    deinit { for page in memory { page.deallocate() } }

    /// keys, values: [length, heads · D].
    func append(_ keys: Tensor, _ values: Tensor) {
      first.append(Int32(memory.count))
      let (length, width) = (keys.shape[0], c.heads * c.headSize)
      let start = memory.count
      for _ in 0..<(length + 63) / 64 {
        let page = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        memset(page, 0xFF, bytes)  // what is not written must not matter
        memory.append(page)
      }
      let type: DType = c.bfloat16 ? .bfloat16 : .float32
      let (k, v) = (keys.cast(type), values.cast(type))
      var t = 0
      while t < length {
        let run = min(64 - t % 64, length - t, 1 + t % 37)
        nabla_cache_write(
          c.type, Int32(c.heads), Int32(c.headSize), c.bfloat16, Int64(run), k.pointer + t * width * type.size,
          v.pointer + t * width * type.size, Int64(width), memory[start + t / 64], Int32(t % 64))
        t += run
      }
    }

    func read(_ sequence: Int, length: Int) -> (keys: Tensor, values: Tensor) {
      let width = c.heads * c.headSize
      let (k, v) = (Tensor(uninitialized: [length, width]), Tensor(uninitialized: [length, width]))
      for t in stride(from: 0, to: length, by: 64) {
        nabla_cache_read(
          c.type, Int32(c.heads), Int32(c.headSize), false, Int64(min(64, length - t)),
          memory[Int(first[sequence]) + t / 64], k.floats + t * width, v.floats + t * width, Int64(width))
      }
      return (k, v)
    }
  }

  /// q: [rows, H · D], a row of it for each of `rows`.
  private func decode(
    _ c: Case, _ pages: Pages, _ rows: ArraySlice<(sequence: Int, length: Int)>, _ q: Tensor,
    _ isa: nabla_attention_isa, threads: Int32
  ) -> Tensor {
    let out = Tensor(uninitialized: q.shape, dtype: q.dtype)
    var p = nabla_decode()
    (p.type, p.rows, p.isa, p.window) = (c.type, Int64(q.shape[0]), isa, Int32(c.window))
    (p.queryHeadCount, p.keyValueHeadCount) = (Int32(c.heads * c.group), Int32(c.heads))
    (p.headSize, p.scale, p.bfloat16) = (Int32(c.headSize), 1 / Float(c.headSize).squareRoot(), c.bfloat16)
    (p.q, p.out) = (UnsafeRawPointer(q.pointer), out.pointer)
    (p.queryStride, p.outStride) = (Int64(q.shape[1]), Int64(q.shape[1]))
    let lengths = rows.map { Int32($0.length) }
    let firstPages = rows.map { pages.first[$0.sequence] }
    let table = pages.memory.map { Optional(UnsafeRawPointer($0)) }
    lengths.withUnsafeBufferPointer { lengths in
      firstPages.withUnsafeBufferPointer { first in
        table.withUnsafeBufferPointer { table in
          (p.lengths, p.firstPage, p.pages) = (lengths.baseAddress, first.baseAddress, table.baseAddress)
          nabla_decode_attention(&p, threads)
        }
      }
    }
    return out
  }

  @Test(arguments: cases) func equalsTheFormula(_ c: Case) {
    var random = RandomSource(seed: 3)
    let pages = Pages(c)
    let (width, d) = (c.heads * c.headSize, c.headSize)
    var stored: [(keys: [Double], values: [Double])] = []
    for (i, length) in Self.lengths.enumerated() {
      let (keys, values) = (random.normal([length, width]), random.normal([length, width]))
      pages.append(keys, values)
      let back = pages.read(i, length: length)
      // The type's precision: half a unit of 2⁻⁸ relative, or half a step of the largest magnitude / 127.
      let bound = c.type == NABLA_CACHE_FLOAT32 && !c.bfloat16 ? 0.0 : 0.05
      #expect(maximumError(back.keys.array(of: Double.self), keys.array(of: Double.self)) <= bound)
      #expect(maximumError(back.values.array(of: Double.self), values.array(of: Double.self)) <= bound)
      stored.append((back.keys.array(of: Double.self), back.values.array(of: Double.self)))
    }
    let rows = Self.rows
    let q = random.normal([rows.count, c.group * width]).cast(c.bfloat16 ? .bfloat16 : .float32)
    let queries = q.array(of: Double.self)
    var expected: [Double] = []
    for (i, (sequence, length)) in rows.enumerated() {
      for h in 0..<c.heads * c.group {
        let g = h / c.group
        let from = c.window > 0 ? max(0, length - c.window) : 0
        let weights = (from..<length).map { t in
          exp(
            (0..<d).reduce(0.0) {
              $0 + queries[(i * c.heads * c.group + h) * d + $1] * stored[sequence].keys[t * width + g * d + $1]
            } / Double(d).squareRoot())
        }
        let total = weights.reduce(0, +)
        expected += (0..<d).map { e in
          zip(from..<length, weights).reduce(0.0) {
            $0 + $1.1 / total * stored[sequence].values[$1.0 * width + g * d + e]
          }
        }
      }
    }
    for isa in AttentionKernelTests.isas {
      let result = decode(c, pages, rows[...], q, isa, threads: 2)
      #expect(maximumError(result.array(of: Double.self), expected) < (c.bfloat16 ? 1e-2 : 1e-5), "\(isa)")
      let slow = decode(c, pages, rows[...], q, isa, threads: 1)
      #expect(result.array() == slow.array(), "the same bits for any number of threads")
      let alone = rows.indices.flatMap {
        decode(c, pages, rows[$0...$0], q[$0..<$0 + 1], isa, threads: 1).array()
      }
      #expect(result.array() == alone, "the same bits whatever the other rows")
    }
  }

  /// Int8: a row of zeros stays zeros, the largest is exact, and a NaN spreads instead of vanishing.
  @Test func int8Extremes() {
    let pages = Pages(Case(type: NABLA_CACHE_INT8, heads: 1, headSize: 4))
    pages.append(Tensor([0, 0, 0, 0, 1, -127, 3, 64, .nan, 1, 2, 3], [3, 4]), Tensor.zeros([3, 4]))
    let keys = pages.read(0, length: 3).keys.array()
    #expect(keys[..<8] == [0, 0, 0, 0, 1, -127, 3, 64])
    let isLost = keys[8...].contains { !$0.isNaN }
    #expect(!isLost)
  }
}

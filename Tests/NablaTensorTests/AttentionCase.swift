import CNablaKernels
import Testing

/// One attention problem of the tests.
struct AttentionCase: Sendable, CustomTestStringConvertible {
  var batch: Int
  var heads: Int
  var keyValueHeads: Int
  var queries: Int
  var keys: Int
  var headSize: Int
  var causal = false
  var window = 0
  var keyLengths = false
  /// How many places each example of a packed row has; in later rows of the batch, in reverse order. Empty: no segments.
  var segments: [Int] = []
  var bias = false
  /// The value of the whole bias; random if nil.
  var biasValue: Float?
  var scale: Float?

  var testDescription: String {
    "B\(batch) H\(heads)/\(keyValueHeads) T\(queries)x\(keys) D\(headSize)" + (causal ? " causal" : "")
      + (window > 0 ? " window \(window)" : "") + (keyLengths ? " lengths" : "")
      + (segments.isEmpty ? "" : " segments \(segments)")
      + (bias ? " bias" : "")
  }
}

/// What attention computes, forward and backward, widened to float64.
struct AttentionResult: Equatable {
  var out: [Double] = []
  var lse: [Double] = []
  var weights: [Double] = []
  var dq: [Double] = []
  var dk: [Double] = []
  var dv: [Double] = []
}

/// The largest |x - y|, in units of the largest |y| or 1. Different infinities and NaN count as infinite.
func maximumError(_ x: [Double], _ y: [Double]) -> Double {
  precondition(x.count == y.count)
  let size = y.reduce(1) { $1.isFinite ? max($0, abs($1)) : $0 }
  return zip(x, y).reduce(0) { worst, pair in
    if pair.0 == pair.1 { return worst }
    let error = abs(pair.0 - pair.1)
    return error.isNaN ? .infinity : max(worst, error / size)
  }
}

/// Random inputs of an `AttentionCase` in contiguous buffers [B, T, heads, D].
final class AttentionData {
  let shape: AttentionCase
  let bfloat16: Bool
  let q, k, v, dout: UnsafeMutableRawPointer
  private let lengths: [Int32]
  private let bias: [Float]
  private let starts, ends: [Int32]
  private var elementSize: Int { bfloat16 ? 2 : 4 }
  private var queryCount: Int { shape.batch * shape.queries * shape.heads * shape.headSize }
  private var keyCount: Int { shape.batch * shape.keys * shape.keyValueHeads * shape.headSize }

  init(_ shape: AttentionCase, bfloat16: Bool) {
    self.shape = shape
    self.bfloat16 = bfloat16
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15 &+ UInt64(shape.queries * 1009 + shape.keys * 31 + shape.headSize)
    func next() -> UInt64 {  // xorshift64
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return state
    }
    func uniform() -> Float { Float(next() >> 40) / 0x1p23 - 1 }
    func buffer(_ count: Int) -> UnsafeMutableRawPointer {
      let size = bfloat16 ? 2 : 4
      let memory = UnsafeMutableRawPointer.allocate(byteCount: max(1, count * size), alignment: 4)
      for i in 0..<count {
        let value = 2 * uniform()
        if bfloat16 {
          memory.storeBytes(of: UInt16(value.bitPattern >> 16), toByteOffset: 2 * i, as: UInt16.self)
        } else {
          memory.storeBytes(of: value, toByteOffset: 4 * i, as: Float.self)
        }
      }
      return memory
    }
    let queryCount = shape.batch * shape.queries * shape.heads * shape.headSize
    let keyCount = shape.batch * shape.keys * shape.keyValueHeads * shape.headSize
    q = buffer(queryCount)
    k = buffer(keyCount)
    v = buffer(keyCount)
    dout = buffer(queryCount)
    lengths = shape.keyLengths ? (0..<shape.batch).map { _ in Int32(next() % UInt64(shape.keys + 1)) } : []
    var (starts, ends): ([Int32], [Int32]) = ([], [])
    for b in 0..<(shape.segments.isEmpty ? 0 : shape.batch) {
      var start = 0
      for length in b % 2 == 0 ? shape.segments : shape.segments.reversed() {
        starts += Array(repeating: Int32(start), count: length)
        ends += Array(repeating: Int32(start + length), count: length)
        start += length
      }
      precondition(start == shape.queries && start == shape.keys)
    }
    (self.starts, self.ends) = (starts, ends)
    bias =
      shape.bias
      ? (0..<(shape.heads * shape.queries * shape.keys)).map { _ in
        // Every tenth entry hides its key.
        shape.biasValue ?? (next() % 10 == 0 ? -.infinity : 3 * uniform())
      } : []
  }

  deinit { for memory in [q, k, v, dout] { memory.deallocate() } }

  /// Writes NaN over every key and value beyond its batch's length.
  func poisonPadding() {
    let row = shape.keyValueHeads * shape.headSize
    for b in 0..<shape.batch {
      for j in Int(lengths[b])..<shape.keys {
        for i in 0..<row {
          for memory in [k, v] {
            memory.storeBytes(of: Float.nan, toByteOffset: 4 * ((b * shape.keys + j) * row + i), as: Float.self)
          }
        }
      }
    }
  }

  func view(_ data: UnsafeRawPointer, _ time: Int, _ heads: Int) -> nabla_attention_view {
    nabla_attention_view(
      data: data, batchStride: Int64(time * heads * shape.headSize), timeStride: Int64(heads * shape.headSize),
      headStride: Int64(shape.headSize))
  }
  func output(_ data: UnsafeMutableRawPointer, _ time: Int, _ heads: Int) -> nabla_attention_output {
    nabla_attention_output(
      data: data, batchStride: Int64(time * heads * shape.headSize), timeStride: Int64(heads * shape.headSize),
      headStride: Int64(shape.headSize))
  }

  /// The bias is [H, Tq, Tk], the same for every batch.
  func withProblem(_ isa: nabla_attention_isa, _ body: (UnsafePointer<nabla_attention>) -> Void) {
    starts.withUnsafeBufferPointer { starts in
      ends.withUnsafeBufferPointer { ends in withProblem(isa, starts, ends, body) }
    }
  }

  private func withProblem(
    _ isa: nabla_attention_isa, _ starts: UnsafeBufferPointer<Int32>, _ ends: UnsafeBufferPointer<Int32>,
    _ body: (UnsafePointer<nabla_attention>) -> Void
  ) {
    lengths.withUnsafeBufferPointer { lengths in
      bias.withUnsafeBufferPointer { bias in
        var problem = nabla_attention()
        problem.dtype = bfloat16 ? NABLA_ATTENTION_BFLOAT16 : NABLA_ATTENTION_FLOAT32
        problem.batch = Int32(shape.batch)
        problem.queryHeadCount = Int32(shape.heads)
        problem.keyValueHeadCount = Int32(shape.keyValueHeads)
        problem.queryLength = Int32(shape.queries)
        problem.keyLength = Int32(shape.keys)
        problem.headSize = Int32(shape.headSize)
        problem.scale = shape.scale ?? 1 / Float(shape.headSize).squareRoot()
        problem.causal = shape.causal
        problem.window = Int32(shape.window)
        problem.keyLengths = shape.keyLengths ? lengths.baseAddress : nil
        problem.segmentStarts = shape.segments.isEmpty ? nil : starts.baseAddress
        problem.segmentEnds = shape.segments.isEmpty ? nil : ends.baseAddress
        problem.bias = shape.bias ? bias.baseAddress : nil
        problem.biasHeadStride = Int64(shape.queries * shape.keys)
        problem.biasQueryStride = Int64(shape.keys)
        problem.isa = isa
        body(&problem)
      }
    }
  }

  /// The fused kernels, into buffers filled with NaN beforehand so that what is left unwritten shows.
  func fused(isa: nabla_attention_isa = NABLA_ATTENTION_BEST, threads: Int32) -> AttentionResult {
    let buffers = [queryCount, queryCount, keyCount, keyCount].map { count in
      let memory = UnsafeMutableRawPointer.allocate(byteCount: max(1, count * elementSize), alignment: 4)
      memory.initializeMemory(as: UInt8.self, repeating: 0xff, count: count * elementSize)
      return memory
    }
    defer { for memory in buffers { memory.deallocate() } }
    var lse = [Float](repeating: .nan, count: shape.batch * shape.heads * shape.queries)
    withProblem(isa) { problem in
      let q = view(self.q, shape.queries, shape.heads)
      let k = view(self.k, shape.keys, shape.keyValueHeads), v = view(self.v, shape.keys, shape.keyValueHeads)
      nabla_attention_forward(problem, q, k, v, output(buffers[0], shape.queries, shape.heads), &lse, threads)
      nabla_attention_backward(
        problem, q, k, v, view(buffers[0], shape.queries, shape.heads), lse, view(dout, shape.queries, shape.heads),
        output(buffers[1], shape.queries, shape.heads), output(buffers[2], shape.keys, shape.keyValueHeads),
        output(buffers[3], shape.keys, shape.keyValueHeads), threads)
    }
    func widen(_ memory: UnsafeMutableRawPointer, _ count: Int) -> [Double] {
      (0..<count).map { i in
        if bfloat16 {
          return Double(Float(bitPattern: UInt32(memory.load(fromByteOffset: 2 * i, as: UInt16.self)) << 16))
        }
        return Double(memory.load(fromByteOffset: 4 * i, as: Float.self))
      }
    }
    return AttentionResult(
      out: widen(buffers[0], queryCount), lse: lse.map(Double.init), dq: widen(buffers[1], queryCount),
      dk: widen(buffers[2], keyCount), dv: widen(buffers[3], keyCount))
  }

  /// The naive float64 kernels.
  func reference() -> AttentionResult {
    let rows = shape.batch * shape.heads * shape.queries
    var result = AttentionResult(
      out: [Double](repeating: 0, count: queryCount), lse: [Double](repeating: 0, count: rows),
      weights: [Double](repeating: 0, count: rows * shape.keys), dq: [Double](repeating: 0, count: queryCount),
      dk: [Double](repeating: 0, count: keyCount), dv: [Double](repeating: 0, count: keyCount))
    withProblem(NABLA_ATTENTION_BEST) { problem in
      let q = view(self.q, shape.queries, shape.heads)
      let k = view(self.k, shape.keys, shape.keyValueHeads), v = view(self.v, shape.keys, shape.keyValueHeads)
      nabla_attention_reference(problem, q, k, v, &result.out, &result.weights, &result.lse)
      nabla_attention_reference_backward(
        problem, q, k, v, view(dout, shape.queries, shape.heads), &result.dq, &result.dk, &result.dv)
    }
    return result
  }
}

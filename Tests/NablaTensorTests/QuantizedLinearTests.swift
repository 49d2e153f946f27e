import CNablaKernels
import NablaTensor
import Testing

/// Integer products from packed weights, in every instruction set that this CPU has, against float64 sums over the same
/// rounded numbers.
@Suite("Quantized products")
struct QuantizedLinearTests {
  /// What is added to the products, and the number of which it consists.
  enum Addend: Double, CaseIterable {
    case none = 0
    case result = 7
    case another = 11
  }

  static let sets = [NABLA_QUANTIZED_BASELINE, NABLA_QUANTIZED_AVX2, NABLA_QUANTIZED_VNNI]
    .filter { $0.rawValue <= nabla_quantized_best_isa().rawValue }.map(\.rawValue)

  /// Random bits with scales of about 0.01, so that every bit of a block counts.
  static func weight(_ shape: Shape, _ type: DType, seed: UInt64 = 3) -> Tensor {
    var random = RandomSource(seed: seed)
    let y = Tensor(uninitialized: shape, dtype: type)
    let bytes = y.pointer.assumingMemoryBound(to: UInt8.self)
    for i in 0..<type.byteCount(of: shape.elementCount) { bytes[i] = .random(in: 0...255, using: &random) }
    let scales: [DType: [Int]] = [
      .q4_1: [0, 2], .q5_1: [0, 2], .q2_K: [80, 82], .q3_K: [108], .q4_K: [0, 2], .q5_K: [0, 2], .q6_K: [208],
    ]
    for block in 0..<shape.elementCount / type.blockSize {
      for place in scales[type] ?? [0] {
        let scale = Float16(Float.random(in: -0.02...0.02, using: &random))
        (y.pointer + block * type.bytesPerBlock + place).storeBytes(of: scale.bitPattern, as: UInt16.self)
      }
    }
    return y
  }

  /// The rounded rows of x, and the memory that they lie in.
  static func rounded(_ x: Tensor) -> (rows: nabla_quantized_rows, memory: Tensor) {
    let (rows, columns) = (Int64(x.shape[0]), Int64(x.shape[1]))
    let memory = Tensor(uninitialized: [Int(nabla_quantized_rows_bytes(rows, columns))], dtype: .uint8)
    let target = nabla_quantized_rows_in(memory.pointer, rows, columns)
    if x.dtype == .bfloat16 {
      nabla_quantize_rows_bfloat16(x.halves, 0, rows, target)
    } else {
      nabla_quantize_rows(x.floats, 0, rows, target)
    }
    return (target, memory)
  }

  @Test("rows become the nearest of 255 steps", arguments: [DType.float32, .bfloat16])
  func rounding(_ type: DType) {
    let x = Tensor.numbers([5, 96], seed: 4).cast(type)
    let (rows, memory) = Self.rounded(x)
    let values = x.array(of: Float.self)
    withExtendedLifetime(memory) {
      for block in 0..<15 {
        let largest = (0..<32).map { abs(values[block * 32 + $0]) }.max()!
        #expect(rows.scales[block] == largest / 127)
        var sums: [Float] = [0, 0]
        for i in 0..<32 {
          let (value, q) = (values[block * 32 + i], Float(rows.q[block * 32 + i]))
          #expect(abs(q * rows.scales[block] - value) <= 0.5001 * rows.scales[block])
          sums[i / 16] -= q * rows.scales[block]
        }
        #expect(abs(rows.sums16[2 * block] - sums[0]) < 1e-4 && abs(rows.sums16[2 * block + 1] - sums[1]) < 1e-4)
        #expect(abs(rows.sums32[block] - sums[0] - sums[1]) < 1e-4)
      }
    }
    let wild = Self.rounded(Tensor([Float.nan] + Array(repeating: Float(0), count: 31), [1, 32]))
    withExtendedLifetime(wild.memory) { #expect(wild.rows.scales[0].isNaN) }
  }

  struct Sizes: Sendable {
    var (rows, outputs, columns): (Int, Int, Int)
    init(_ rows: Int, _ outputs: Int, _ columns: Int) {
      (self.rows, self.outputs, self.columns) = (rows, outputs, columns)
    }
  }

  /// One row and many, panels that are full and not, columns of one part and of several.
  static let sizes = [
    Sizes(1, 64, 256), Sizes(1, 37, 512), Sizes(2, 32, 768), Sizes(3, 70, 256), Sizes(4, 33, 1536), Sizes(5, 8, 256),
    Sizes(13, 96, 1024),
  ]

  @Test("every type and instruction set", arguments: DType.quantizedTypes, Self.sets)
  func products(_ type: DType, _ set: UInt32) {
    for size in Self.sizes {
      // 32-number types also with columns that are no multiple of 256.
      let columns = type.blockSize == 32 ? size.columns + 96 : size.columns
      let weight = Self.weight([size.outputs, columns], type)
      let x = Tensor.numbers([size.rows, columns], seed: 8)
      let (rows, memory) = Self.rounded(x)
      let wide = weight.array(of: Double.self)
      let bias = Tensor.numbers([size.outputs], seed: 9)
      let (stride, column) = (size.outputs + 5, 3)
      for addend in Addend.allCases {
        let y = Tensor.full([size.rows, stride], 7)
        let other = Tensor.full([size.rows, stride], 11)
        var part = nabla_quantized_weight(
          blocks: weight.pointer, rows: Int64(size.outputs), type: nabla_block_type(type.ggml), bias: bias.floats,
          column: Int64(column))
        withExtendedLifetime((weight, bias)) {
          nabla_quantized_linear(
            rows, &part, 1, y.floats, addend == .none ? nil : (addend == .result ? y : other).floats, Int64(stride),
            nabla_quantized_isa(set), Int32(Threads.count))
        }
        var worst = 0.0
        for r in 0..<size.rows {
          for j in 0..<stride {
            guard j >= column && j < column + size.outputs else {
              #expect(y.floats[r * stride + j] == 7, "outside the result")
              continue
            }
            var sum = Double(bias.floats[j - column]) + addend.rawValue
            var magnitude = abs(sum)
            for k in 0..<columns {
              let scale = Double(rows.scales[(r * columns + k) / 32])
              let product = wide[(j - column) * columns + k] * Double(rows.q[r * columns + k]) * scale
              sum += product
              magnitude += abs(product)
            }
            worst = max(worst, abs(Double(y.floats[r * stride + j]) - sum) / magnitude)
          }
        }
        // Integers are exact; what is left are float32 sums, over as large parts as offsets make them.
        #expect(worst < 3e-6, "\(size.rows) rows, \(size.outputs) × \(columns)")
      }
      withExtendedLifetime(memory) {}
    }
  }

  @Test("a row has the same bits whoever shares the batch", arguments: DType.quantizedTypes, Self.sets)
  func alone(_ type: DType, _ set: UInt32) {
    // Columns of several parts; panels that are full, and one that is not.
    let (count, outputs, columns) = (27, 72, 1536)
    let weight = Self.weight([outputs, columns], type)
    let (x, residual) = (Tensor.numbers([count, columns], seed: 8), Tensor.numbers([count, outputs], seed: 7))
    func product(_ range: Range<Int>) -> [Float] {
      let (rows, memory) = Self.rounded(x[range])
      let (y, addend) = (Tensor.zeros([range.count, outputs]), residual[range])
      var part = nabla_quantized_weight(
        blocks: weight.pointer, rows: Int64(outputs), type: nabla_block_type(type.ggml), bias: nil, column: 0)
      withExtendedLifetime((weight, memory)) {
        nabla_quantized_linear(
          rows, &part, 1, y.floats, addend.floats, Int64(outputs), nabla_quantized_isa(set), Int32(Threads.count))
      }
      return y.array()
    }
    let alone = (0..<count).flatMap { product($0..<$0 + 1) }
    for together in [2, 3, 4, 5, 6, 7, 16, count] {
      #expect(product(0..<together) == Array(alone[..<(together * outputs)]), "\(together) rows")
    }
  }

  static let severalTypes: [DType] = [.q4_1, .q8_0, .q4_K, .q6_K]
  static func several() -> [Tensor] {
    severalTypes.enumerated().map { weight([30 + 40 * $0.offset, 512], $0.element) }
  }

  /// What few rows are promised on every CPU: they are multiplied as integers, whose sums no neighbor changes.
  @Test("several weights of several types in one call, with the same bits as alone and for any number of threads")
  func severalTogether() {
    let weights = Self.several()
    for rows in [1, 4, 31] {
      let x = Tensor.numbers([2, rows, 512], seed: 2).cast(.bfloat16)
      let results = [1, 2, 3].map { count in Threads.with(count) { x.linear(weights).array() as [Float] } }
      #expect(results[0] == results[1] && results[0] == results[2])
      let together = x.linear(weights, output: .float32)
      for (part, weight) in zip(together.split(weights.map { $0.shape[0] }, axis: 2), weights) {
        #expect(part.array() == x.linear(weight, output: .float32).array() as [Float])
      }
    }
  }

  /// Many rows may be multiplied in bfloat16 hardware, in oneDNN: how it sums depends on the sizes of the product, so
  /// each result is near that of its weight alone, and near the exact one, but not the same.
  @Test("many rows with several weights in one call are near each weight's product")
  func severalWithManyRows() {
    let weights = Self.several()
    let x = Tensor.numbers([2, 70, 512], seed: 2).cast(.bfloat16)
    let parts = x.linear(weights, output: .float32).split(weights.map { $0.shape[0] }, axis: 2)
    for (part, weight) in zip(parts, weights) {
      let exact = Reference.matmul(Reference(x), Reference(weight.cast(.float64)).transposed)
      expectClose(part, exact, tolerance: 0.02)
      expectClose(x.linear(weight, output: .float32), exact, tolerance: 0.02)
    }
  }
}

extension DType {
  /// ggml's number of a block type.
  fileprivate var ggml: UInt32 {
    let numbers: [DType: UInt32] = [
      .q4_0: 2, .q4_1: 3, .q5_0: 6, .q5_1: 7, .q8_0: 8, .q2_K: 10, .q3_K: 11, .q4_K: 12, .q5_K: 13, .q6_K: 14,
    ]
    return numbers[self]!
  }
}

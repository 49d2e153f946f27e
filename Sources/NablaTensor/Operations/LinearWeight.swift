import CNablaKernels

/// A linear layer's weight [outputs, inputs] as matrix multiplication reads it.
///
/// A float32 weight, or one already in the compute type, is multiplied as a whole: training refreshes one copy
/// in the compute type per step. Any other is frozen, and is read in its stored type (block-quantized, bfloat16,
/// float16) without a copy. The type of the other operand decides how:
///
/// - x float32: exact values. One row at a time is dequantized for a few rows of x, a tile for many.
/// - x bfloat16, which means that 8 bits are precise enough: block-quantized weights are multiplied as integers,
///   with x rounded to 8 bits in blocks of 32. Where the CPU multiplies bfloat16 in hardware, many rows use that
///   instead.
///
/// The choice does not depend on whether gradients are recorded, so log-probabilities are the same with and without.
struct LinearWeight {
  let weight: Tensor
  /// The type of the other operand, float32 or bfloat16.
  let computeType: DType
  let isStored: Bool

  init(_ weight: Tensor, for computeType: DType) {
    self.computeType = computeType
    let isDense =
      weight.dtype == .float32 || (weight.dtype == computeType && (computeType == .float32 || hasFastBFloat16))
    isStored = !isDense && (weight.dtype.isQuantized || weight.dtype == .bfloat16 || weight.dtype == .float16)
    self.weight = isStored ? weight.stopGradient() : weight.stopGradient().computeCopy(computeType)
  }

  var outputs: Int { weight.shape[0] }
  var inputs: Int { weight.shape[1] }

  /// The type that tiles of a stored weight are dequantized to: float32 where the CPU has no bfloat16
  /// instructions.
  private var tileType: DType { !isStored || hasFastBFloat16 ? computeType : .float32 }

  fileprivate func multipliesIntegers(rows: Int) -> Bool {
    weight.dtype.multipliesIntegers(of: computeType, rows: rows)
  }

  /// Whether our own kernels multiply, which write float32.
  fileprivate func usesOwnKernel(rows: Int) -> Bool { isStored && (rows <= 8 || multipliesIntegers(rows: rows)) }

  /// What the integer kernels read, which this and the bias must outlive.
  fileprivate func blocks(bias: Tensor?, column: Int) -> nabla_quantized_weight {
    nabla_quantized_weight(
      blocks: weight.pointer, rows: Int64(outputs), type: weight.dtype.blockType,
      bias: bias.map { UnsafePointer($0.floats) }, column: Int64(column))
  }

  /// y = x·Wᵀ + bias, or y += : rows `first`..<`first + rows` of x [..., inputs] into columns `startC`... of y, whose
  /// rows are `rowStrideC` apart. Our own kernels need a float32 y.
  func multiply(
    _ x: Tensor, from first: Int = 0, rows: Int, bias: Tensor? = nil, into y: Tensor, startC: Int = 0,
    rowStrideC: Int? = nil, accumulating: Bool = false
  ) {
    let stride = rowStrideC ?? outputs
    let x = x.reshaped([x.count])[first * inputs..<(first + rows) * inputs]
    if multipliesIntegers(rows: rows) {
      withExtendedLifetime((self, bias)) {
        QuantizedRows(x, rows: rows).multiply(
          [blocks(bias: bias, column: startC)], into: y, addend: accumulating ? y : nil, rowStrideC: stride)
      }
    } else if usesOwnKernel(rows: rows) {
      multiplyRows(x.cast(.float32), rows, bias, into: y, startC, stride, accumulating)
    } else {
      let x = x.cast(tileType)
      forEachTile { tile, start in
        MatrixProduct(m: rows, n: tile.shape[0], k: inputs).run(
          .matrix(x), .matrix(tile, transposed: true), bias: bias.map { $0[start..<start + tile.shape[0]] }, into: y,
          startC: startC + start, rowStrideC: stride, accumulating: accumulating)
      }
    }
  }

  /// dx = dy·W, or dx += : columns `start`... of the rows of dy, which are `rowStride` apart.
  func multiplyTransposed(
    _ dy: Tensor, from start: Int = 0, rowStride: Int? = nil, rows: Int, into dx: Tensor, startC: Int = 0,
    accumulating: Bool = false
  ) {
    let dy = dy.cast(tileType)
    forEachTile { tile, first in
      MatrixProduct(m: rows, n: inputs, k: tile.shape[0]).run(
        .columns(dy, from: start + first, rowStride: rowStride ?? outputs), .matrix(tile), into: dx, startC: startC,
        accumulating: accumulating || first > 0)
    }
  }

  /// Each row of the weight is dequantized once, in cache, for a few rows of x.
  private func multiplyRows(
    _ x: Tensor, _ rows: Int, _ bias: Tensor?, into y: Tensor, _ startC: Int, _ stride: Int, _ accumulating: Bool
  ) {
    let type =
      switch weight.dtype {
      case .bfloat16: Int32(NABLA_STORED_BFLOAT16.rawValue)
      case .float16: Int32(NABLA_STORED_FLOAT16.rawValue)
      case .nf4: Int32(NABLA_STORED_NF4.rawValue)
      default: Int32(weight.dtype.blockType.rawValue)
      }
    let rowBytes = Int64(weight.dtype.byteCount(of: inputs))
    func run(_ scales: UnsafePointer<nabla_nf4_scales>?) {
      parallelFor(outputs, grain: Swift.max(elementGrain / Swift.max(inputs, 1), 1)) { part in
        nabla_stored_linear(
          type, weight.pointer, rowBytes, Int64(inputs), Int64(part.lowerBound), Int64(part.upperBound), x.floats,
          Int64(rows), bias?.floats, y.floats + startC, Int64(stride), accumulating, scales)
      }
    }
    if weight.dtype == .nf4 { weight.withNF4Scales(run) } else { run(nil) }
  }

  /// Passes the weight in the compute type to `body`: whole, or in tiles of rows of about a megabyte. Their heights are
  /// multiples of 64, at which matrix multiplications are fastest, and nearly equal.
  private func forEachTile(_ body: (_ tile: Tensor, _ firstRow: Int) -> Void) {
    guard isStored else { return body(weight, 0) }
    let fitting = Swift.max(64, (1 << 20) / (Swift.max(inputs, 1) * tileType.size))
    let tiles = (outputs + fitting - 1) / fitting
    let height = Swift.max(64, (outputs / Swift.max(tiles, 1) + 63) / 64 * 64)
    for first in stride(from: 0, to: outputs, by: height) {
      body(weight[first..<Swift.min(first + height, outputs)].cast(tileType), first)
    }
  }
}

extension DType {
  /// Rows of x from which bfloat16 hardware is faster than integer arithmetic.
  private static let manyRows = 64

  /// Whether linear layers with weights of this type use our integer kernels for `rows` rows
  /// of x in the given type.
  package func multipliesIntegers(of x: DType, rows: Int) -> Bool {
    isQuantized && self != .nf4 && x == .bfloat16
      && !(hasFastBFloat16 && rows >= DType.manyRows && !EachRowAlone.isOn)
  }

  /// Whether many rows may take another path than few (see ``withEachRowAlone(_:)``).
  package func dependsOnRowCount(of x: DType) -> Bool { isQuantized && x == .bfloat16 && hasFastBFloat16 }
}

/// Runs `body` with integer arithmetic for quantized weights however many rows there are, so that the result of a row
/// does not depend on the other rows.
package func withEachRowAlone<R>(_ body: () throws -> R) rethrows -> R {
  try EachRowAlone.$isOn.withValue(true, operation: body)
}

private enum EachRowAlone {
  @TaskLocal static var isOn = false
}

/// Rows of a layer's input in 8 bits, in blocks of 32 with a scale each: rounded once for all weights.
private struct QuantizedRows {
  private let memory: Tensor
  private let rows: nabla_quantized_rows

  /// x: rows · columns numbers, float32 or bfloat16.
  init(_ x: Tensor, rows: Int) {
    let columns = x.count / Swift.max(rows, 1)
    memory = Tensor(
      uninitialized: [Int(nabla_quantized_rows_bytes(Int64(rows), Int64(columns)))], dtype: .uint8)
    let target = nabla_quantized_rows_in(memory.pointer, Int64(rows), Int64(columns))
    parallelFor(rows, grain: Swift.max(elementGrain / 8 / Swift.max(columns, 1), 1)) { part in
      let (first, last) = (Int64(part.lowerBound), Int64(part.upperBound))
      if x.dtype == .bfloat16 {
        nabla_quantize_rows_bfloat16(x.halves, first, last, target)
      } else {
        nabla_quantize_rows(x.floats, first, last, target)
      }
    }
    self.rows = target
  }

  /// y[:, column...] = x·Wᵀ + bias for each weight, plus the addend, in one parallel region. The caller keeps the
  /// memory of `weights` alive.
  func multiply(_ weights: [nabla_quantized_weight], into y: Tensor, addend: Tensor?, rowStrideC: Int) {
    withExtendedLifetime((memory, addend)) {
      nabla_quantized_linear(
        rows, weights, Int64(weights.count), y.floats, addend?.floats, Int64(rowStrideC), NABLA_QUANTIZED_BEST,
        Int32(Threads.count))
    }
  }
}

extension [LinearWeight] {
  /// y = x·Wᵢᵀ + bᵢ side by side, plus a residual, for x [..., inputs].
  ///
  /// - Parameters:
  ///   - shape: of y and of the float32 residual: [..., Σ outputs].
  ///   - type: of y where all weights allow it. A residual, and weights that our own kernels read, need float32.
  func multiply(_ x: Tensor, rows: Int, biases: [Tensor]?, residual: Tensor?, shape: Shape, type: DType) -> Tensor {
    let width = reduce(0) { $0 + $1.outputs }
    // Multiplications that write all of y at once add the residual as they go; the others accumulate into a copy of it.
    let addend = allSatisfy { $0.multipliesIntegers(rows: rows) } ? residual : nil
    let accumulating = residual != nil && addend == nil
    let type = contains { $0.isStored && $0.usesOwnKernel(rows: rows) } ? .float32 : type
    let y = accumulating ? residual!.copy() : Tensor(uninitialized: shape, dtype: type)
    var integers: [nabla_quantized_weight] = []
    integers.reserveCapacity(count)
    var start = 0
    for i in indices {
      if self[i].multipliesIntegers(rows: rows) {
        integers.append(self[i].blocks(bias: biases?[i], column: start))
      } else {
        self[i].multiply(
          x, rows: rows, bias: biases?[i], into: y, startC: start, rowStrideC: width, accumulating: accumulating)
      }
      start += self[i].outputs
    }
    guard !integers.isEmpty else { return y }
    withExtendedLifetime((self, biases)) {
      QuantizedRows(x, rows: rows).multiply(
        integers, into: y, addend: accumulating ? y : addend, rowStrideC: width)
    }
    return y
  }
}

import CNablaKernels

/// A linear layer's weight [outputs, inputs] as products read it.
///
/// A float32 weight, or one already in the type of the product, is multiplied as a whole: training refreshes one copy in
/// the compute type a step. Any other is constant, stays as it is stored (block-quantized, bfloat16, float16), and is
/// widened a tile of rows at a time, so that no copy of it ever exists.
struct LinearWeight {
  let weight: Tensor
  /// The type that products run in.
  let type: DType
  let isStored: Bool

  /// - Parameter computeType: float32 or bfloat16, the other operand's type. Where the CPU does not multiply bfloat16
  ///   in hardware, products with stored weights run in float32.
  init(_ weight: Tensor, for computeType: DType) {
    let dense =
      weight.dtype == .float32 || (weight.dtype == computeType && (computeType == .float32 || hasFastBFloat16))
    isStored = !dense && weight.dtype.isStorageOnly
    self.weight = isStored ? weight.stopGradient() : weight.stopGradient().computeCopy(computeType)
    type = !isStored || hasFastBFloat16 ? computeType : .float32
  }

  var outputs: Int { weight.shape[0] }
  var inputs: Int { weight.shape[1] }

  /// y = x·Wᵀ + bias, or y += : rows `first`..<`first + rows` of x [..., inputs] into columns `startC`... of y, whose
  /// rows are `rowStrideC` apart. A stored weight needs a float32 y.
  func multiply(
    _ x: Tensor, from first: Int = 0, rows: Int, bias: Tensor? = nil, into y: Tensor, startC: Int = 0,
    rowStrideC: Int? = nil, accumulating: Bool = false
  ) {
    let stride = rowStrideC ?? outputs
    let x = part(of: x, from: first * inputs, count: rows * inputs)
    forEachTile { tile, start in
      MatrixProduct(m: rows, n: tile.shape[0], k: inputs).run(
        .matrix(x), .matrix(tile, transposed: true), bias: bias.map { $0[start..<start + tile.shape[0]] }, into: y,
        startC: startC + start, rowStrideC: stride, accumulating: accumulating)
    }
  }

  /// dx = dy·W, or dx += : columns `start`... of the rows of dy, which are `rowStride` apart.
  func multiplyTransposed(
    _ dy: Tensor, from start: Int = 0, rowStride: Int? = nil, rows: Int, into dx: Tensor, startC: Int = 0,
    accumulating: Bool = false
  ) {
    let dy = dy.cast(type)
    forEachTile { tile, first in
      MatrixProduct(m: rows, n: inputs, k: tile.shape[0]).run(
        .columns(dy, from: start + first, rowStride: rowStride ?? outputs), .matrix(tile), into: dx, startC: startC,
        accumulating: accumulating || first > 0)
    }
  }

  /// Hands out the weight in the product's type: whole, or tiles of rows of about a megabyte.
  private func forEachTile(_ body: (_ tile: Tensor, _ firstRow: Int) -> Void) {
    guard isStored else { return body(weight, 0) }
    let height = Swift.max(32, (1 << 20) / (Swift.max(inputs, 1) * type.size))
    for first in stride(from: 0, to: outputs, by: height) {
      body(weight[first..<Swift.min(first + height, outputs)].cast(type), first)
    }
  }

  /// Elements `first`..<`first + count` of x in the product's type.
  private func part(of x: Tensor, from first: Int, count: Int) -> Tensor {
    x.reshaped([x.count])[first..<first + count].cast(type)
  }
}

extension DType {
  /// Whether weights may be kept in this type without being trained.
  var isStorageOnly: Bool { isQuantized || self == .bfloat16 || self == .float16 }
}

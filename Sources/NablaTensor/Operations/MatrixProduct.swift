import CNablaKernels

extension Tensor {
  /// Matrix multiplication over the last two dimensions. Both operands may have leading batch dimensions, which must
  /// agree; a matrix on the right may also be shared by a whole batch, whose own matrices are then not transposed. [..., m, k] × [..., k, n] → [..., m, n].
  ///
  /// - Parameters:
  ///   - other: the right operand.
  ///   - transposingSelf: read self as [..., k, m] without copying.
  ///   - transposingOther: read other as [..., n, k] without copying.
  public func matmul(_ other: Tensor, transposingSelf: Bool = false, transposingOther: Bool = false) -> Tensor {
    let (a, b) = (self, other)
    precondition(a.rank >= 2 && b.rank >= 2, "matmul: \(a.shape) × \(b.shape): both need at least two dimensions")
    let (ta, tb) = (transposingSelf, transposingOther)
    let (k, n) = tb ? (b.shape[b.rank - 1], b.shape[b.rank - 2]) : (b.shape[b.rank - 2], b.shape[b.rank - 1])
    if b.rank == 2 && a.rank > 2 && !ta {
      // One matrix for the whole batch: one tall multiplication.
      let rows = a.shape.dropLast().reduce(1, *)
      let y = a.reshaped([rows, a.shape.last!]).matmul(b, transposingOther: tb)
      return y.reshaped(a.shape.replacing(a.rank - 1, with: n))
    }
    let (inner, m) = ta ? (a.shape[a.rank - 2], a.shape[a.rank - 1]) : (a.shape[a.rank - 1], a.shape[a.rank - 2])
    precondition(
      inner == k && a.rank == b.rank && a.shape.dropLast(2).elementsEqual(b.shape.dropLast(2)),
      "matmul: \(a.shape)\(ta ? "ᵀ" : "") × \(b.shape)\(tb ? "ᵀ" : "") do not fit")
    let batch = a.shape.dropLast(2).reduce(1, *)
    let type = a.dtype == .bfloat16 && b.dtype == .bfloat16 ? DType.bfloat16 : .float32
    let (u, v) = (a.stopGradient().cast(type), b.stopGradient().cast(type))
    let y = Tensor(uninitialized: Shape(Array(a.shape.dropLast(2)) + [m, n]), dtype: type)
    MatrixProduct(m: m, n: n, k: k, batch: batch).run(.matrix(u, transposed: ta), .matrix(v, transposed: tb), into: y)
    return y.recorded(a, b) { dy, inputs in
      // C = A·B: dA = dC·Bᵀ and dB = Aᵀ·dC; a transposed operand's gradient is transposed too.
      if let node = inputs[0] {
        node.accumulate(
          ta
            ? v.matmul(dy, transposingSelf: tb, transposingOther: true)
            : dy.matmul(v, transposingOther: !tb))
      }
      if let node = inputs[1] {
        node.accumulate(
          tb
            ? dy.matmul(u, transposingSelf: true, transposingOther: ta)
            : u.matmul(dy, transposingSelf: !ta))
      }
    }
  }
}

/// One multiplication, or a batch of them, directly into memory: C = A·B or C += A·B.
package struct MatrixProduct {
  package struct Operand {
    var tensor: Tensor
    var transposed: Bool
    /// Distance between rows of the matrix in memory; nil: its row length.
    var rowStride: Int?
    /// Elements to skip before the first.
    var start = 0

    package static func matrix(_ tensor: Tensor, transposed: Bool = false) -> Operand {
      Operand(tensor: tensor, transposed: transposed)
    }
    /// Columns start..< of rows that are `rowStride` apart.
    package static func columns(
      _ tensor: Tensor, from start: Int, rowStride: Int, transposed: Bool = false
    ) -> Operand {
      Operand(tensor: tensor, transposed: transposed, rowStride: rowStride, start: start)
    }
  }

  package var m: Int
  package var n: Int
  package var k: Int
  package var batch = 1

  package init(m: Int, n: Int, k: Int, batch: Int = 1) {
    (self.m, self.n, self.k, self.batch) = (m, n, k, batch)
  }

  /// A: [m, k], B: [k, n], C: [m, n] (`rowStrideC` apart from column `startC`), bias: [n] float32.
  package func run(
    _ a: Operand, _ b: Operand, bias: Tensor? = nil, into c: Tensor, startC: Int = 0, rowStrideC: Int? = nil,
    accumulating: Bool = false
  ) {
    if m == 0 || n == 0 || batch == 0 { return }
    if k == 0 {
      return writeEmptySums(bias: bias, into: c, startC: startC, rowStrideC: rowStrideC ?? n, accumulating)
    }
    precondition(!nabla_holds_threads(), "a oneDNN matrix multiplication while its threads are held")
    var problem = nabla_matmul()
    (problem.batch, problem.m, problem.n, problem.k) = (Int64(batch), Int64(m), Int64(n), Int64(k))
    let rowA = Int64(a.rowStride ?? (a.transposed ? m : k))
    let rowB = Int64(b.rowStride ?? (b.transposed ? k : n))
    (problem.rowA, problem.columnA) = a.transposed ? (1, rowA) : (rowA, 1)
    (problem.rowB, problem.columnB) = b.transposed ? (1, rowB) : (rowB, 1)
    problem.rowC = Int64(rowStrideC ?? n)
    (problem.batchA, problem.batchB, problem.batchC) = (Int64(m * k), Int64(k * n), Int64(m * n))
    problem.typeA = kernelType(a.tensor)
    problem.typeB = kernelType(b.tensor)
    problem.typeC = kernelType(c)
    problem.accumulate = accumulating ? 1 : 0
    problem.hasBias = bias == nil ? 0 : 1
    let status = nabla_matmul_run(
      &problem, a.tensor.pointer + a.start * a.tensor.dtype.size, b.tensor.pointer + b.start * b.tensor.dtype.size,
      bias?.floats, c.pointer + startC * c.dtype.size)
    precondition(
      status == 0,
      "oneDNN rejected a multiplication of [\(batch), \(m), \(k)] \(a.tensor.dtype) × [\(k), \(n)] \(b.tensor.dtype) (status \(status))"
    )
  }

  /// The product of [m, 0] and [0, n], which oneDNN does not accept: only the bias remains.
  private func writeEmptySums(bias: Tensor?, into c: Tensor, startC: Int, rowStrideC: Int, _ accumulating: Bool) {
    let sums = (bias ?? .zeros([n])).cast(c.dtype)
    for row in 0..<batch * m {
      let target = c.pointer + (startC + row * rowStrideC) * c.dtype.size
      if !accumulating {
        target.copyMemory(from: sums.pointer, byteCount: n * c.dtype.size)
      } else if bias != nil {
        nabla_add_scaled(Int64(n), 1, sums.floats, target.assumingMemoryBound(to: Float.self))
      }
    }
  }

  private func kernelType(_ tensor: Tensor) -> Int32 {
    switch tensor.dtype {
    case .float32: Int32(NABLA_FLOAT32.rawValue)
    case .bfloat16: Int32(NABLA_BFLOAT16.rawValue)
    default: preconditionFailure("matmul: \(tensor.dtype) operands: use cast(.float32)")
    }
  }
}

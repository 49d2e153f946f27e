/// A small dense matrix in float64, in column-major order, for decompositions.
package struct Matrix: Sendable {
  package let rows, columns: Int
  package var values: [Double]

  package init(rows: Int, columns: Int, values: [Double]) {
    precondition(values.count == rows * columns, "Matrix: \(values.count) values for \(rows) × \(columns)")
    (self.rows, self.columns, self.values) = (rows, columns, values)
  }

  package init(zeros rows: Int, _ columns: Int) {
    self.init(rows: rows, columns: columns, values: [Double](repeating: 0, count: rows * columns))
  }

  /// A tensor [rows, columns], or its transpose.
  package init(_ tensor: Tensor, transposed: Bool = false) {
    precondition(tensor.rank == 2, "Matrix: a tensor of shape \(tensor.shape)")
    let source = transposed ? tensor : tensor.stopGradient().cast(.float32).transposed()
    self.init(rows: source.shape[1], columns: source.shape[0], values: source.array(of: Double.self))
  }

  /// [rows, columns] float32.
  package var tensor: Tensor { Tensor(values.map(Float.init), [columns, rows]).transposed() }

  package subscript(row: Int, column: Int) -> Double {
    get { values[column * rows + row] }
    set { values[column * rows + row] = newValue }
  }

  package var transposed: Matrix {
    var result = Matrix(zeros: columns, rows)
    for j in 0..<columns { for i in 0..<rows { result[j, i] = self[i, j] } }
    return result
  }

  package func prefix(columns count: Int) -> Matrix {
    Matrix(rows: rows, columns: count, values: Array(values[..<(rows * count)]))
  }

  package static func * (a: Matrix, b: Matrix) -> Matrix {
    precondition(a.columns == b.rows, "Matrix: \(a.rows) × \(a.columns) times \(b.rows) × \(b.columns)")
    var c = Matrix(zeros: a.rows, b.columns)
    a.values.withUnsafeBufferPointer { x in
      c.values.withUnsafeMutableBufferPointer { y in
        for j in 0..<b.columns {
          for k in 0..<a.columns { addScaled(x, k * a.rows, b[k, j], y, j * a.rows, a.rows) }
        }
      }
    }
    return c
  }

  /// Q and R of this matrix, with rows ≥ columns: orthonormal columns, and an upper triangular matrix with A = Q·R
  /// (Gram-Schmidt, twice). A column that depends on those before it is 0 in Q and in R's diagonal.
  package func orthonormalized() -> (q: Matrix, r: Matrix) {
    var (q, r) = (self, Matrix(zeros: columns, columns))
    q.values.withUnsafeMutableBufferPointer { x in
      let y = UnsafeBufferPointer(x)
      for j in 0..<columns {
        let before = dot(y, j * rows, j * rows, rows).squareRoot()
        for _ in 0..<2 {
          for k in 0..<j {
            let projection = dot(y, k * rows, j * rows, rows)
            r[k, j] += projection
            addScaled(y, k * rows, -projection, x, j * rows, rows)
          }
        }
        let norm = dot(y, j * rows, j * rows, rows).squareRoot()
        let isIndependent = norm > 1e-13 * before
        r[j, j] = isIndependent ? norm : 0
        for i in j * rows..<(j + 1) * rows { x[i] = isIndependent ? x[i] / norm : 0 }
      }
    }
    return (q, r)
  }
}

/// Σ x[a + i]·x[b + i], in four sums so that it vectorizes.
func dot(_ x: UnsafeBufferPointer<Double>, _ a: Int, _ b: Int, _ count: Int) -> Double {
  guard let x = x.baseAddress else { return 0 }
  let (u, v) = (x + a, x + b)
  var sums = SIMD8<Double>.zero
  var i = 0
  while i + 8 <= count {
    let p = UnsafeRawPointer(u + i).loadUnaligned(as: SIMD8<Double>.self)
    sums += p * UnsafeRawPointer(v + i).loadUnaligned(as: SIMD8<Double>.self)
    i += 8
  }
  var sum = sums.sum()
  while i < count {
    sum += u[i] * v[i]
    i += 1
  }
  return sum
}

/// y[b + i] += scale·x[a + i].
func addScaled(
  _ x: UnsafeBufferPointer<Double>, _ a: Int, _ scale: Double, _ y: UnsafeMutableBufferPointer<Double>, _ b: Int,
  _ count: Int
) {
  guard let x = x.baseAddress, let y = y.baseAddress else { return }
  let (u, v) = (x + a, y + b)
  for i in 0..<count { v[i] += scale * u[i] }
}

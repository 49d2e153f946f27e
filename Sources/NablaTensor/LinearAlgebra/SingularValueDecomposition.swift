/// A = U·diag(s)·Vᵀ with orthonormal columns in U [m, k] and V [n, k], and s ≥ 0 descending, in float64.
package struct SingularValueDecomposition: Sendable {
  package let u: Matrix
  package let singularValues: [Double]
  package let v: Matrix

  /// The full decomposition of a matrix, by one-sided Jacobi rotations (Hestenes 1958): pairs of columns are rotated
  /// until all are orthogonal. Small singular values are as accurate as large ones; for up to a few hundred columns.
  package init(_ a: Matrix) {
    guard a.rows >= a.columns else {
      let other = SingularValueDecomposition(a.transposed)
      (u, singularValues, v) = (other.v, other.singularValues, other.u)
      return
    }
    let (m, n) = (a.rows, a.columns)
    var (columns, rotations) = (a, Matrix(zeros: n, n))
    for i in 0..<n { rotations[i, i] = 1 }
    var isOrthogonal = n < 2
    for _ in 0..<60 where !isOrthogonal {
      isOrthogonal = true
      for i in 0..<n - 1 {
        for j in i + 1..<n {
          let (alpha, beta, gamma) = columns.values.withUnsafeBufferPointer {
            (dot($0, i * m, i * m, m), dot($0, j * m, j * m, m), dot($0, i * m, j * m, m))
          }
          if abs(gamma) <= 1e-15 * (alpha * beta).squareRoot() { continue }
          isOrthogonal = false
          let zeta = (beta - alpha) / (2 * gamma)
          let t = (zeta < 0 ? -1 : 1) / (abs(zeta) + (1 + zeta * zeta).squareRoot())
          let c = 1 / (1 + t * t).squareRoot()
          columns.rotate(i, j, c, c * t)
          rotations.rotate(i, j, c, c * t)
        }
      }
    }
    let norms = (0..<n).map { j in
      columns.values.withUnsafeBufferPointer { dot($0, j * m, j * m, m).squareRoot() }
    }
    let order = (0..<n).sorted { norms[$0] > norms[$1] }
    var (left, right) = (Matrix(zeros: m, n), Matrix(zeros: n, n))
    for (k, j) in order.enumerated() {
      for i in 0..<m where norms[j] > 0 { left[i, k] = columns[i, j] / norms[j] }
      for i in 0..<n { right[i, k] = rotations[i, j] }
    }
    (u, singularValues, v) = (left, order.map { norms[$0] }, right)
  }

  private init(u: Matrix, singularValues: [Double], v: Matrix) {
    (self.u, self.singularValues, self.v) = (u, singularValues, v)
  }

  /// The low-rank product B·A, [m, r]·[r, n], from the factors only: B = Q_B·R_B and Aᵀ = Q_A·R_A, so that the singular
  /// values are those of the small R_B·R_Aᵀ.
  package init(product b: Matrix, _ a: Matrix) {
    guard b.rows >= b.columns, a.columns >= a.rows else {
      self.init(b * a)
      return
    }
    let (left, right) = (b.orthonormalized(), a.transposed.orthonormalized())
    let small = SingularValueDecomposition(left.r * right.r.transposed)
    self.init(u: left.q * small.u, singularValues: small.singularValues, v: right.q * small.v)
  }

  /// The `rank` largest of a weight [m, n], by subspace iteration with Rayleigh-Ritz (Halko et al. 2011): exact where
  /// the subspace is as wide as the matrix, otherwise as close as the decay of the singular values allows in
  /// `iterations`. Large matrix multiplications run in float32.
  package init(_ weight: Tensor, rank: Int, iterations: Int = 30, random: inout RandomSource) {
    let (m, n) = (weight.shape[0], weight.shape[1])
    let width = min(m, n, rank + max(16, rank))
    precondition(rank >= 1 && rank <= min(m, n), "truncated SVD: rank \(rank) of a weight \(weight.shape)")
    let w = weight.stopGradient().cast(.float32)
    var q = Matrix(random.normal([n, width])).orthonormalized().q
    var best = SingularValueDecomposition(u: Matrix(zeros: m, 0), singularValues: [], v: Matrix(zeros: n, 0))
    for iteration in 0..<max(iterations, 1) {
      let y = Matrix(w.matmul(q.tensor)).orthonormalized().q  // an orthonormal basis of W·Q: [m, width]
      let (next, r) = Matrix(w.matmul(y.tensor, transposingSelf: true)).orthonormalized()  // Wᵀ·Y = Q·R
      q = next
      // W ≈ Y·Rᵀ·Qᵀ.
      let small = SingularValueDecomposition(r.transposed)
      let previous = best.singularValues
      best = SingularValueDecomposition(
        u: (y * small.u).prefix(columns: rank), singularValues: Array(small.singularValues[..<rank]),
        v: (q * small.v).prefix(columns: rank))
      let change = zip(previous, best.singularValues).reduce(0.0) { max($0, abs($1.0 - $1.1)) }
      if iteration > 0 && change <= 1e-6 * best.singularValues[0] { break }
    }
    self = best
  }
}

extension Matrix {
  /// Columns i and j rotated: (c·xᵢ - s·xⱼ, s·xᵢ + c·xⱼ).
  fileprivate mutating func rotate(_ i: Int, _ j: Int, _ c: Double, _ s: Double) {
    values.withUnsafeMutableBufferPointer { x in
      guard let x = x.baseAddress else { return }
      let (u, v) = (x + i * rows, x + j * rows)
      for k in 0..<rows {
        let (a, b) = (u[k], v[k])
        u[k] = c * a - s * b
        v[k] = s * a + c * b
      }
    }
  }
}

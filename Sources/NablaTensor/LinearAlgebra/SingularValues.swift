import Glibc

/// How much of a matrix its largest singular values explain: the effective rank of a weight update.
public struct SingularSpectrum: Sendable, Equatable {
  /// Descending.
  public let values: [Double]

  public init(values: [Double]) { self.values = values }

  /// All singular values of a matrix [m, n]: roots of the eigenvalues of its smaller Gram matrix, in float64. Values
  /// below 10⁻⁸ of the largest are rounding errors. O(m·n·k + k³) for k = min(m, n).
  public init(of matrix: Tensor) {
    self.init(ofColumns: Matrix(matrix, transposed: matrix.shape[1] > matrix.shape[0]))
  }

  /// The same for several matrices, divided among threads.
  public static func spectra(of matrices: [Tensor]) -> [SingularSpectrum] {
    let columns = matrices.map { Matrix($0, transposed: $0.shape[1] > $0.shape[0]) }
    return [SingularSpectrum](unsafeUninitializedCapacity: columns.count) { buffer, initialized in
      let spectra = buffer.baseAddress
      parallelFor(columns.count, grain: 1) { part in
        for i in part { (spectra! + i).initialize(to: SingularSpectrum(ofColumns: columns[i])) }
      }
      initialized = columns.count
    }
  }

  /// Of columns whose inner products form the Gram matrix, not more than there are rows.
  private init(ofColumns vectors: Matrix) {
    let n = vectors.columns
    var gram = Matrix(zeros: n, n)
    vectors.values.withUnsafeBufferPointer { x in
      for j in 0..<n {
        for i in 0...j {
          let product = dot(x, i * vectors.rows, j * vectors.rows, vectors.rows)
          gram[i, j] = product
          gram[j, i] = product
        }
      }
    }
    let (diagonal, beside) = gram.tridiagonalized()
    values = tridiagonalEigenvalues(diagonal, beside).map { max($0, 0).squareRoot() }.sorted(by: >)
  }

  /// Those of a product B·A, [m, r]·[r, n], times a factor: min(r, m, n) values, the others are 0.
  public init(ofProduct b: Tensor, _ a: Tensor, scale: Double = 1) {
    values = SingularValueDecomposition(product: Matrix(b), Matrix(a)).singularValues.map { $0 * abs(scale) }
  }

  /// Σ σ², the squared Frobenius norm.
  public var energy: Double { values.reduce(0) { $0 + $1 * $1 } }

  /// The smallest rank whose best approximation retains this fraction of the energy; 0 for a matrix of zeros.
  public func rank(holding share: Double) -> Int {
    let enough = energy * share
    guard energy > 0 else { return 0 }
    var sum = 0.0
    for (i, value) in values.enumerated() {
      sum += value * value
      if sum >= enough { return i + 1 }
    }
    return values.count
  }
}

extension Matrix {
  /// A symmetric matrix reduced to tridiagonal form T = QᵀAQ, by Householder reflections (Golub & Van
  /// Loan, algorithm 8.3.1).
  func tridiagonalized() -> (diagonal: [Double], beside: [Double]) {
    let n = rows
    var a = self
    var beside = [Double](repeating: 0, count: max(n - 1, 0))
    var (v, w) = ([Double](repeating: 0, count: n), [Double](repeating: 0, count: n))
    for k in 0..<max(n - 1, 0) {
      // v reflects the part of column k below the diagonal onto its first element.
      var norm = 0.0
      for i in k + 1..<n {
        v[i] = a[i, k]
        norm += v[i] * v[i]
      }
      norm = norm.squareRoot()
      let alpha = v[k + 1] > 0 ? -norm : norm
      beside[k] = alpha
      v[k + 1] -= alpha
      let squares = (k + 1..<n).reduce(0.0) { $0 + v[$1] * v[$1] }
      guard squares > 0 else { continue }
      let beta = 2 / squares
      // A -= v·wᵀ + w·vᵀ with w = β·A·v - (β/2·(β·A·v)ᵀv)·v.
      a.values.withUnsafeMutableBufferPointer { x in
        guard let x = x.baseAddress else { return }
        for i in k + 1..<n { w[i] = 0 }
        w.withUnsafeMutableBufferPointer { w in
          for j in k + 1..<n {
            let (column, scale) = (x + j * n, beta * v[j])
            for i in k + 1..<n { w[i] += scale * column[i] }
          }
        }
        let half = beta / 2 * (k + 1..<n).reduce(0.0) { $0 + w[$1] * v[$1] }
        for i in k + 1..<n { w[i] -= half * v[i] }
        v.withUnsafeBufferPointer { v in
          w.withUnsafeBufferPointer { w in
            for j in k + 1..<n {
              let (column, vj, wj) = (x + j * n, v[j], w[j])
              for i in k + 1..<n { column[i] -= v[i] * wj + w[i] * vj }
            }
          }
        }
      }
    }
    return ((0..<n).map { a[$0, $0] }, beside)
  }
}

/// The eigenvalues of a symmetric tridiagonal matrix, by the QL algorithm with implicit shifts (Dubrulle et al. 1971).
func tridiagonalEigenvalues(_ diagonal: [Double], _ beside: [Double]) -> [Double] {
  var (d, e) = (diagonal, beside + [0])
  let n = d.count
  for l in 0..<n {
    for _ in 0..<100 {
      var m = l
      while m < n - 1 && abs(e[m]) > 0x1p-52 * (abs(d[m]) + abs(d[m + 1])) { m += 1 }
      if m == l { break }
      var g = (d[l + 1] - d[l]) / (2 * e[l])
      var r = hypot(g, 1)
      g = d[m] - d[l] + e[l] / (g + (g < 0 ? -r : r))
      var (s, c, p) = (1.0, 1.0, 0.0)
      var i = m - 1
      while i >= l {
        let (f, b) = (s * e[i], c * e[i])
        r = hypot(f, g)
        e[i + 1] = r
        if r == 0 {
          d[i + 1] -= p
          e[m] = 0
          break
        }
        (s, c) = (f / r, g / r)
        g = d[i + 1] - p
        r = (d[i] - g) * s + 2 * c * b
        p = s * r
        d[i + 1] = g + p
        g = c * r - b
        i -= 1
      }
      if r == 0 && i >= l { continue }
      d[l] -= p
      e[l] = g
      e[m] = 0
    }
  }
  return d
}

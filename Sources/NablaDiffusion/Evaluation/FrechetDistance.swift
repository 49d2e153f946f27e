import NablaTensor

/// The Fréchet distance between normal distributions fitted to two sets of features [N, d] (Dowson & Landau 1982):
///
///     ‖μ₁ - μ₂‖² + tr(Σ₁ + Σ₂ - 2(Σ₁^½ Σ₂ Σ₁^½)^½)
///
/// With the features of Inception it is known as FID; with others it is a different measure, and should have a
/// different name.
public func frechetDistance(_ a: Tensor, _ b: Tensor) -> Double {
  precondition(
    a.rank == 2 && b.rank == 2 && a.shape[1] == b.shape[1] && a.shape[0] > 1 && b.shape[0] > 1,
    "frechetDistance: features \(a.shape) and \(b.shape)")
  let (first, second) = (moments(a), moments(b))
  let d = a.shape[1]
  let means = zip(first.mean, second.mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
  let root = SymmetricMatrix(first.covariance, d).squareRoot()
  let product = multiply(multiply(root, second.covariance, d), root, d)
  let middle = SymmetricMatrix(product, d).eigen().values.reduce(0) { $0 + max($1, 0).squareRoot() }
  let traces = (0..<d).reduce(0) { $0 + first.covariance[$1 * d + $1] + second.covariance[$1 * d + $1] }
  return max(means + traces - 2 * middle, 0)
}

/// The mean and covariance (divided by N - 1) of rows, in float64.
private func moments(_ rows: Tensor) -> (mean: [Double], covariance: [Double]) {
  let (n, d) = (rows.shape[0], rows.shape[1])
  let x = rows.array(of: Double.self)
  var mean = [Double](repeating: 0, count: d)
  for i in 0..<n { for j in 0..<d { mean[j] += x[i * d + j] / Double(n) } }
  var covariance = [Double](repeating: 0, count: d * d)
  for i in 0..<n {
    for j in 0..<d {
      let difference = x[i * d + j] - mean[j]
      for k in 0...j { covariance[j * d + k] += difference * (x[i * d + k] - mean[k]) / Double(n - 1) }
    }
  }
  for j in 0..<d { for k in 0..<j { covariance[k * d + j] = covariance[j * d + k] } }
  return (mean, covariance)
}

private func multiply(_ a: [Double], _ b: [Double], _ d: Int) -> [Double] {
  var result = [Double](repeating: 0, count: d * d)
  for i in 0..<d {
    for k in 0..<d {
      let factor = a[i * d + k]
      for j in 0..<d { result[i * d + j] += factor * b[k * d + j] }
    }
  }
  return result
}

/// A symmetric matrix of float64 numbers, row by row.
struct SymmetricMatrix {
  let d: Int
  private let elements: [Double]

  init(_ elements: [Double], _ d: Int) { (self.elements, self.d) = (elements, d) }

  /// Eigenvalues, and eigenvectors as columns, by Jacobi's rotations: slow, simple and as exact as float64.
  func eigen() -> (values: [Double], vectors: [Double]) {
    var a = elements
    var v = [Double](repeating: 0, count: d * d)
    for i in 0..<d { v[i * d + i] = 1 }
    let scale = a.reduce(0) { $0 + $1 * $1 }
    for _ in 0..<60 {
      var off = 0.0
      for i in 0..<d { for j in 0..<i { off += a[i * d + j] * a[i * d + j] } }
      if off <= 1e-30 * scale { break }
      for p in 0..<d { for q in p + 1..<max(d, p + 1) { rotate(&a, &v, p, q) } }
    }
    return ((0..<d).map { a[$0 * d + $0] }, v)
  }

  /// Makes element (p, q) zero.
  private func rotate(_ a: inout [Double], _ v: inout [Double], _ p: Int, _ q: Int) {
    let off = a[p * d + q]
    if off == 0 { return }
    let theta = (a[q * d + q] - a[p * d + p]) / (2 * off)
    let t = (theta >= 0 ? 1.0 : -1.0) / (abs(theta) + (theta * theta + 1).squareRoot())
    let c = 1 / (t * t + 1).squareRoot()
    let s = t * c
    for k in 0..<d {
      let (x, y) = (a[k * d + p], a[k * d + q])
      (a[k * d + p], a[k * d + q]) = (c * x - s * y, s * x + c * y)
    }
    for k in 0..<d {
      let (x, y) = (a[p * d + k], a[q * d + k])
      (a[p * d + k], a[q * d + k]) = (c * x - s * y, s * x + c * y)
    }
    for k in 0..<d {
      let (x, y) = (v[k * d + p], v[k * d + q])
      (v[k * d + p], v[k * d + q]) = (c * x - s * y, s * x + c * y)
    }
  }

  /// The symmetric square root; eigenvalues that rounding made negative count as 0.
  func squareRoot() -> [Double] {
    let (values, vectors) = eigen()
    var result = [Double](repeating: 0, count: d * d)
    for k in 0..<d {
      let root = max(values[k], 0).squareRoot()
      for i in 0..<d { for j in 0..<d { result[i * d + j] += vectors[i * d + k] * root * vectors[j * d + k] } }
    }
    return result
  }
}

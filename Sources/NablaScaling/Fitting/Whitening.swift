/// Coordinates y = Lᵀx, where M = L Lᵀ (Cholesky): a function whose Hessian is near M has one near the identity in y.
///
/// In these a quasi-Newton method needs no steps to learn the correlations between axes.
struct Whitening: Sendable {
  /// L, row by row; its upper half is 0.
  private let factor: [Double]
  private let size: Int

  /// - Parameter matrix: Symmetric and positive semidefinite, row by row. A direction without curvature keeps its
  ///   scale.
  init(_ matrix: [Double]) {
    let n = Int(Double(matrix.count).squareRoot())
    var l = [Double](repeating: 0, count: n * n)
    let trace = (0..<n).reduce(0) { $0 + matrix[$1 * n + $1] }
    for i in 0..<n {
      for j in 0...i {
        var sum = matrix[i * n + j]
        for k in 0..<j { sum -= l[i * n + k] * l[j * n + k] }
        if i == j {
          // A little more than rounding can leave of a direction without curvature.
          l[i * n + i] = max(sum, 1e-12 * trace, 1e-300).squareRoot()
        } else {
          l[i * n + j] = sum / l[j * n + j]
        }
      }
    }
    (factor, size) = (l, n)
  }

  /// y = Lᵀx.
  func apply(_ x: [Double]) -> [Double] {
    (0..<size).map { i in (i..<size).reduce(0) { $0 + factor[$1 * size + i] * x[$1] } }
  }

  /// x from y: Lᵀx = y.
  func undo(_ y: [Double]) -> [Double] {
    var x = y
    undo(&x)
    return x
  }

  private func undo(_ x: inout [Double]) {
    for i in (0..<size).reversed() {
      for k in i + 1..<max(size, i + 1) { x[i] -= factor[k * size + i] * x[k] }
      x[i] /= factor[i * size + i]
    }
  }

  /// The same function of y. Its gradient is L⁻¹ times that of x.
  func function(
    _ function: ChinchillaObjective
  ) -> ([Double], inout [Double]) -> Double {
    { y, gradient in
      var x = y
      undo(&x)
      let value = function(x, &gradient)
      for i in 0..<size {
        for k in 0..<i { gradient[i] -= factor[i * size + k] * gradient[k] }
        gradient[i] /= factor[i * size + i]
      }
      return value
    }
  }
}

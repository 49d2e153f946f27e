import Glibc

/// Approach 2 of Hoffmann et al. (2022): runs of several sizes at each of several budgets; a parabola of loss over log
/// N through those of one budget has its minimum at the optimal size.
///
/// The true curve is not a parabola: it is A/N^α + B(6N/C)^β + E, steeper on one side. When α and β differ the
/// parabola's minimum is off by a factor that `parabolaBias(of:compute:width:)` gives; it is the same for all
/// budgets, so it affects the coefficient but not the exponent.
public struct IsoFLOPFit: Sendable {
  /// The runs of one budget and the parabola loss = c₀ + c₁ (ln N - center) + c₂ (ln N - center)².
  public struct Curve: Sendable {
    public var compute: Double
    public var points: [ScalingPoint]
    public var center: Double
    public var coefficients: [Double]

    public func loss(parameters: Double) -> Double {
      let x = log(parameters) - center
      return coefficients[0] + x * (coefficients[1] + x * coefficients[2])
    }
    /// The minimum of the parabola; nil when it opens downward.
    public var optimalParameters: Double? {
      coefficients[2] > 0 ? exp(center - coefficients[1] / (2 * coefficients[2])) : nil
    }
    /// Whether there are runs on both sides of the minimum. Otherwise it is an extrapolation, and is excluded.
    public var isBracketed: Bool {
      guard let optimum = optimalParameters else { return false }
      return points.contains { $0.parameters < optimum } && points.contains { $0.parameters > optimum }
    }
  }

  public var curves: [Curve]
  /// N ∝ C^a, over the bracketed curves.
  public var parameters: PowerLawFit
  /// D ∝ C^b.
  public var tokens: PowerLawFit

  /// - Parameters:
  ///   - points: Several sizes for each of a few budgets.
  ///   - tolerance: Runs whose compute lies within this factor belong to one budget.
  /// - Throws: ``PointError`` when fewer than three budgets have a parabola with a minimum among their runs.
  public init(_ points: [ScalingPoint], tolerance: Double = 1.2) throws(PointError) {
    curves = groups(points, by: \.compute, within: tolerance).compactMap { Curve($0) }
    let used = curves.filter(\.isBracketed)
    let optima = used.map { $0.optimalParameters! }
    parameters = try PowerLawFit(
      x: used.map(\.compute), y: optima, purpose: "IsoFLOP curves (budgets with runs on both sides of the best size)")
    tokens = try PowerLawFit(
      x: used.map(\.compute), y: zip(used, optima).map { $0.compute / (6 * $1) }, purpose: "IsoFLOP curves")
  }

  /// The factor between the minimum of a parabola through runs of `law` at one budget and the true optimum, for
  /// sizes evenly spaced in log N over a factor of `width` on either side.
  public static func parabolaBias(of law: Chinchilla, compute: Double, width: Double, runs: Int = 9) -> Double {
    let optimum = law.optimalAllocation(compute: compute).parameters
    let points = (0..<runs).map { i in
      let n = optimum * pow(width, 2 * Double(i) / Double(runs - 1) - 1)
      let d = compute / (6 * n)
      return ScalingPoint(parameters: n, tokens: d, loss: law.loss(parameters: n, tokens: d))
    }
    return (Curve(points)?.optimalParameters ?? .nan) / optimum
  }
}

extension IsoFLOPFit.Curve {
  /// The least-squares parabola; nil for fewer than four different sizes, since one always passes
  /// through three.
  package init?(_ points: [ScalingPoint]) {
    let x = points.map { log($0.parameters) }
    guard groups(points, by: \.parameters, within: 1.01).count >= 4 else { return nil }
    center = x.reduce(0, +) / Double(x.count)
    compute = exp(points.reduce(0) { $0 + log($1.compute) } / Double(points.count))
    self.points = points
    let centered = x.map { [center] in $0 - center }
    // Orthogonal polynomials 1, x, x² - px - q: each coefficient by itself.
    let count = Double(x.count)
    let s2 = centered.reduce(0) { $0 + $1 * $1 }
    let p = centered.reduce(0) { $0 + $1 * $1 * $1 } / s2
    let q = s2 / count
    let mean = points.reduce(0) { $0 + $1.loss } / count
    let linear = zip(centered, points).reduce(0) { $0 + $1.0 * $1.1.loss } / s2
    let basis = centered.map { $0 * $0 - p * $0 - q }
    let square = zip(basis, points).reduce(0) { $0 + $1.0 * $1.1.loss } / basis.reduce(0) { $0 + $1 * $1 }
    coefficients = [mean - square * q, linear - square * p, square]
  }
}

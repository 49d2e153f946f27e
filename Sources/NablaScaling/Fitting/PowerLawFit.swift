import Glibc

/// A straight line in log-log axes, the form of Kaplan et al. (2020): y = coefficient · x^exponent.
public struct PowerLawFit: Sendable {
  /// By least squares.
  public var line: Line
  /// By the median of slopes: if it differs much, a few points dominate the fit.
  public var robustLine: Line
  /// The points, as logarithms.
  public var x: [Double]
  public var y: [Double]

  public var exponent: Double { line.slope }
  public var coefficient: Double { exp(line.intercept) }
  public func callAsFunction(_ x: Double) -> Double { exp(line(log(x))) }

  /// - Throws: ``PointError`` for fewer than three points or a single x.
  public init(x: [Double], y: [Double], purpose: String) throws(PointError) {
    if x.count < 3 { throw PointError(.tooFew(found: x.count, needed: 3, purpose: purpose)) }
    self.x = x.map { log($0) }
    self.y = y.map { log($0) }
    // The compute 6ND of runs of one budget differs by rounding errors.
    if self.x.max()! - self.x.min()! < 1e-9 { throw PointError(.constant("x of \(purpose)", value: x[0])) }
    line = Line.leastSquares(self.x, self.y)
    robustLine = Line.robust(self.x, self.y)
  }
}

/// Kaplan's three power laws, each fitted to the runs that no smaller run beats: L(N) over size, L(D) over tokens, L(C)
/// over compute.
///
/// The form has no irreducible loss. Near it the curves bend: the exponents fall with the range of the points, and an
/// extrapolation is too optimistic.
public struct KaplanFit: Sendable {
  public var parameters: PowerLawFit
  public var tokens: PowerLawFit
  public var compute: PowerLawFit

  public init(_ points: [ScalingPoint]) throws(PointError) {
    func fit(_ x: (ScalingPoint) -> Double, _ name: String) throws(PointError) -> PowerLawFit {
      let frontier = Self.frontier(points, x)
      return try PowerLawFit(x: frontier.map(x), y: frontier.map(\.loss), purpose: "a power law of the \(name)")
    }
    parameters = try fit(\.parameters, "parameters")
    tokens = try fit(\.tokens, "tokens")
    compute = try fit(\.compute, "compute")
  }

  /// The points that no point with less or equal x beats in loss.
  package static func frontier(_ points: [ScalingPoint], _ x: (ScalingPoint) -> Double) -> [ScalingPoint] {
    var lowest = Double.infinity
    return points.sorted { (x($0), $0.loss) < (x($1), $1.loss) }.filter { point in
      if point.loss >= lowest { return false }
      lowest = point.loss
      return true
    }
  }
}

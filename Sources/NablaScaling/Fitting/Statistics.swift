import Glibc

/// A quantile of `sorted`, with linear interpolation, as in NumPy.
func quantile(_ sorted: [Double], _ share: Double) -> Double {
  let place = share * Double(sorted.count - 1)
  let (below, above) = (Int(place.rounded(.down)), Int(place.rounded(.up)))
  let (a, b) = (sorted[below], sorted[above])
  // The arithmetic of infinities, which refits that overflow give, is NaN.
  guard a.isFinite, b.isFinite else { return a.isFinite ? b : a }
  return a + (b - a) * (place - Double(below))
}

/// The middle `level` of the values.
func percentileInterval(_ values: [Double], level: Double) -> ClosedRange<Double> {
  let sorted = values.filter { !$0.isNaN }.sorted()
  if sorted.isEmpty { return -Double.infinity...Double.infinity }
  return quantile(sorted, (1 - level) / 2)...quantile(sorted, (1 + level) / 2)
}

func median(_ values: [Double]) -> Double { quantile(values.sorted(), 0.5) }

/// A straight line through points.
public struct Line: Sendable, Hashable {
  public var slope: Double
  public var intercept: Double

  public init(slope: Double, intercept: Double) {
    self.slope = slope
    self.intercept = intercept
  }

  public func callAsFunction(_ x: Double) -> Double { intercept + slope * x }

  /// The line with the least sum of squares.
  ///
  /// - Precondition: `x` contains at least two different numbers.
  public static func leastSquares(_ x: [Double], _ y: [Double]) -> Line {
    let count = Double(x.count)
    let (xMean, yMean) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
    let covariance = zip(x, y).reduce(0) { $0 + ($1.0 - xMean) * ($1.1 - yMean) }
    let variance = x.reduce(0) { $0 + ($1 - xMean) * ($1 - xMean) }
    precondition(variance > 0, "Line.leastSquares: all x are the same")
    let slope = covariance / variance
    return Line(slope: slope, intercept: yMean - slope * xMean)
  }

  /// The median of the slopes of all pairs (Theil 1950, Sen 1968): up to 29 % of the points may be outliers.
  ///
  /// - Precondition: `x` contains at least two different numbers.
  public static func robust(_ x: [Double], _ y: [Double]) -> Line {
    var slopes: [Double] = []
    for i in x.indices {
      for j in x.indices.dropFirst(i + 1) where x[i] != x[j] { slopes.append((y[j] - y[i]) / (x[j] - x[i])) }
    }
    precondition(!slopes.isEmpty, "Line.robust: all x are the same")
    let slope = median(slopes)
    return Line(slope: slope, intercept: median(zip(x, y).map { $1 - slope * $0 }))
  }
}

/// The probability that a χ² variable with `degrees` of freedom exceeds `value`: the upper incomplete gamma function
/// Q(k/2, x/2), by its series below and its continued fraction above (Press et al., section 6.2).
///
/// Its logarithm, since probabilities such as 10⁻⁴⁰⁰ occur.
package func logChiSquareTail(_ value: Double, degrees: Int) -> Double {
  let (a, x) = (Double(degrees) / 2, value / 2)
  if x <= 0 { return 0 }
  let front = a * log(x) - x - lgamma(a)
  if x < a + 1 {
    var (term, sum, n) = (1 / a, 1 / a, a)
    while term > sum * 1e-16 {
      n += 1
      term *= x / n
      sum += term
    }
    return log1p(-exp(front) * sum)
  }
  var b = x + 1 - a
  var c = 1e300
  var d = 1 / b
  var h = d
  for i in 1...10_000 {
    let an = -Double(i) * (Double(i) - a)
    b += 2
    d = 1 / (an * d + b)
    c = b + an / c
    h *= d * c
    if abs(d * c - 1) < 1e-15 { break }
  }
  return front + log(h)
}

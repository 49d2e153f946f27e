import Glibc
import NablaTensor

/// A fit of ``Chinchilla`` to points: approach 3 of Hoffmann et al. (2022).
///
/// ```swift
/// let fit = try ChinchillaFit(points)
/// let intervals = fit.bootstrap(samples: 4_000)
/// print(fit.law.alpha, intervals.interval { $0.alpha })
/// ```
public struct ChinchillaFit: Sendable {
  /// The start and the end of an optimization.
  public struct Start: Sendable {
    public var start: Chinchilla
    public var law: Chinchilla
    /// The sum of Huber losses at `law`.
    public var objective: Double
    public var hasConverged: Bool
  }

  public let points: [ScalingPoint]
  /// The best of all starts.
  public let law: Chinchilla
  /// Its sum of Huber losses.
  public let objective: Double
  /// One for each start, in the order of the grid.
  public let starts: [Start]
  let function: ChinchillaObjective

  /// - Parameters:
  ///   - points: At least six, of at least two sizes and two token counts.
  ///   - grid: The starting points of the optimizations.
  /// - Throws: ``PointError`` for points that determine no law.
  public init(_ points: [ScalingPoint], from grid: StartGrid = .hoffmann) throws(PointError) {
    try PointError.check(points)
    let function = ChinchillaObjective(points)
    let coordinates = grid.coordinates(function)
    // The grid finds the local minima; the best of them are then refined.
    var search = LBFGS()
    search.gradientTolerance = 1e-7
    search.relativeTolerance = 1e-6
    search.maximumIterations = 200
    let minima = parallelMap(coordinates) { search.minimize(from: $0, function.callAsFunction) }
    let best = minima.indices.sorted { minima[$0].value < minima[$1].value }.prefix(8)
    let refined = parallelMap(best.map { minima[$0].point }) { refine($0, function) }
    let lowest = refined.indices.min { refined[$0].value < refined[$1].value }!
    starts = zip(coordinates, minima).map { start, minimum in
      Start(
        start: function.law(start), law: function.law(minimum.point), objective: minimum.value,
        hasConverged: minimum.hasConverged)
    }
    self.points = points
    self.function = function
    law = function.law(refined[lowest].point)
    objective = refined[lowest].value
  }

  /// ln L of each point minus that of the law.
  public var residuals: [Double] {
    points.map { log($0.loss / law.loss(parameters: $0.parameters, tokens: $0.tokens)) }
  }

  /// How many starts came within a thousandth of the best objective.
  public var startsAtBest: Int { starts.count { $0.objective <= objective * 1.001 + 1e-12 } }
}

/// The grid of starting points of a fit.
public struct StartGrid: Sendable {
  public var logA: [Double]
  public var logB: [Double]
  public var logE: [Double]
  public var alpha: [Double]
  public var beta: [Double]

  public init(logA: [Double], logB: [Double], logE: [Double], alpha: [Double], beta: [Double]) {
    (self.logA, self.logB, self.logE, self.alpha, self.beta) = (logA, logB, logE, alpha, beta)
  }

  /// The 4,500 starts of Hoffmann et al. (appendix D.3): a and b 0, 5, … 25, e -1, -0.5, … 1, α and β 0, 0.5, … 2.
  public static let hoffmann = StartGrid(
    logA: [0, 5, 10, 15, 20, 25], logB: [0, 5, 10, 15, 20, 25], logE: [-1, -0.5, 0, 0.5, 1],
    alpha: [0, 0.5, 1, 1.5, 2], beta: [0, 0.5, 1, 1.5, 2])

  /// A single start at a law, for points that are known to be near it.
  public init(_ law: Chinchilla) {
    self.init(logA: [log(law.A)], logB: [log(law.B)], logE: [log(law.E)], alpha: [law.alpha], beta: [law.beta])
  }

  public var count: Int { logA.count * logB.count * logE.count * alpha.count * beta.count }

  func coordinates(_ function: ChinchillaObjective) -> [[Double]] {
    var result: [[Double]] = []
    result.reserveCapacity(count)
    for alpha in alpha {
      for beta in beta {
        for e in logE {
          for a in logA {
            for b in logB { result.append(function.coordinates(a: a, b: b, e: e, alpha: alpha, beta: beta)) }
          }
        }
      }
    }
    return result
  }
}

/// Refines a local minimum. Each round discards the previous curvature, which a non-smooth point may have spoiled.
func refine(_ start: [Double], _ function: ChinchillaObjective, rounds: Int = 10) -> LBFGS.Minimum {
  var search = LBFGS()
  search.gradientTolerance = 1e-13
  search.relativeTolerance = 1e-15
  var minimum = search.minimize(from: start, function.callAsFunction)
  for _ in 1..<rounds {
    let next = search.minimize(from: minimum.point, function.callAsFunction)
    let decrease = minimum.value - next.value
    if decrease >= 0 { minimum = next }
    if decrease <= 1e-10 * minimum.value { break }
  }
  return minimum
}

/// `transform` of each element on all threads; the result does not depend on how many there are.
func parallelMap<Element, Result>(_ elements: [Element], _ transform: (Element) -> Result) -> [Result] {
  [Result](unsafeUninitializedCapacity: elements.count) { buffer, count in
    let base = buffer.baseAddress
    // Safe: each index belongs to one part only, and all parts are done when parallelFor returns.
    parallelFor(elements.count, grain: 1) { part in
      for i in part { (base! + i).initialize(to: transform(elements[i])) }
    }
    count = elements.count
  }
}

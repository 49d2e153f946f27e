import Glibc

/// Approach 1 of Hoffmann et al. (2022): for each size a curve of loss over compute; the lowest curve at each compute
/// gives the optimal size.
///
/// The curves must come from runs whose learning rate has decayed: points in the middle of a longer schedule
/// are too high, and bias the optimal size upward.
public struct EnvelopeFit: Sendable {
  public struct Curve: Sendable {
    public var parameters: Double
    /// Compute and loss, ascending in compute.
    public var points: [(compute: Double, loss: Double)]
  }

  public var curves: [Curve]
  /// The lowest loss at each of the budgets, and its size.
  public var envelope: [(compute: Double, parameters: Double, loss: Double)]
  /// N ∝ C^a.
  public var parameters: PowerLawFit
  /// D ∝ C^b.
  public var tokens: PowerLawFit

  /// - Parameters:
  ///   - points: Several runs of each size, of different lengths.
  ///   - budgets: The number of budgets, evenly spaced in log C; 1,500 in the paper.
  /// - Throws: ``PointError`` when fewer than two sizes were trained for different lengths.
  public init(_ points: [ScalingPoint], budgets: Int = 1_500) throws(PointError) {
    curves = groups(points, by: \.parameters, within: 1.01).compactMap { group in
      let sorted = group.sorted { $0.compute < $1.compute }
      guard let first = sorted.first, let last = sorted.last, last.compute > first.compute else { return nil }
      return Curve(parameters: first.parameters, points: sorted.map { ($0.compute, $0.loss) })
    }
    if curves.count < 2 {
      throw PointError(
        .tooFew(found: curves.count, needed: 2, purpose: "the envelope (sizes trained for several lengths)"))
    }
    let low = log(curves.map { $0.points.first!.compute }.min()!)
    let high = log(curves.map { $0.points.last!.compute }.max()!)
    var found: [(compute: Double, parameters: Double, loss: Double)] = []
    for i in 0..<budgets {
      let compute = low + (high - low) * Double(i) / Double(max(budgets - 1, 1))
      let losses = curves.compactMap { curve in curve.loss(logCompute: compute).map { ($0, curve.parameters) } }
      // A single curve offers no choice between sizes.
      guard losses.count >= 2, let best = losses.min(by: { $0.0 < $1.0 }) else { continue }
      found.append((exp(compute), best.1, best.0))
    }
    envelope = found
    parameters = try PowerLawFit(
      x: found.map(\.compute), y: found.map(\.parameters), purpose: "the envelope (budgets that two sizes reach)")
    tokens = try PowerLawFit(
      x: found.map(\.compute), y: found.map { $0.compute / (6 * $0.parameters) }, purpose: "the envelope")
  }
}

extension EnvelopeFit.Curve {
  /// Log-linear interpolation between its points; nil outside.
  func loss(logCompute: Double) -> Double? {
    guard let next = points.firstIndex(where: { log($0.compute) >= logCompute }) else { return nil }
    if next == 0 { return log(points[0].compute) == logCompute ? points[0].loss : nil }
    let (a, b) = (points[next - 1], points[next])
    let share = (logCompute - log(a.compute)) / (log(b.compute) - log(a.compute))
    return exp(log(a.loss) + share * (log(b.loss) - log(a.loss)))
  }
}

/// Points whose `value` lies within a factor of the group's smallest, by ascending value.
func groups(
  _ points: [ScalingPoint], by value: (ScalingPoint) -> Double, within factor: Double
) -> [[ScalingPoint]] {
  var result: [[ScalingPoint]] = []
  for point in points.sorted(by: { value($0) < value($1) }) {
    if let first = result.last?.first, value(point) <= factor * value(first) {
      result[result.count - 1].append(point)
    } else {
      result.append([point])
    }
  }
  return result
}

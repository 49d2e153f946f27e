import Glibc
import NablaScaling

extension ScalingStep {
  /// Losses of models of six sizes, which the reader drags, and the power law through them.
  struct Fit: Encodable {
    var sizes: [Double]
    var losses: [Double]
    /// L = coefficient · N^exponent + floor, by least squares of log L.
    var exponent: Double
    var coefficient: Double
    var floor: Double
    /// The law at each size.
    var fitted: [Double]
    /// [N, L] of the law, to draw it.
    var curve: [[Double]]
    /// The share of the variance of log L that the law explains.
    var explained: Double
  }

  static let sizes: [Double] = [1e6, 1e7, 1e8, 1e9, 1e10, 1e11]

  static let fit = Computation.answer("fit") { query, _ in
    let starting = sizes.map { Kaplan.kaplan2020.parameters($0) }
    let losses = try query.numbers("losses", in: 0.1...20, atMost: sizes.count, default: starting)
    if losses.count != sizes.count { throw StudioError("losses must be \(sizes.count) numbers, not \(losses.count)") }
    let floor = try query.flag("floor", default: false) ? try bestFloor(losses) : 0
    let line = try lineAbove(floor, losses)
    let logs = losses.map { log($0) }
    let mean = logs.reduce(0, +) / Double(logs.count)
    let total = logs.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return Fit(
      sizes: sizes, losses: losses, exponent: line.exponent, coefficient: line.coefficient, floor: floor,
      fitted: sizes.map { floor + line($0) },
      curve: (0...60).map { 4e5 * pow(2.5e11 / 4e5, Double($0) / 60) }.map { [$0, floor + line($0)] },
      explained: total > 0 ? 1 - residual(floor, line, losses) / total : 1)
  }

  /// Above a floor the law is a line: log(L − floor) on log N.
  private static func lineAbove(_ floor: Double, _ losses: [Double]) throws -> PowerLawFit {
    try PowerLawFit(x: sizes, y: losses.map { $0 - floor }, purpose: "a power law of the loss")
  }

  /// Σ (log L − log(law))².
  private static func residual(_ floor: Double, _ line: PowerLawFit, _ losses: [Double]) -> Double {
    zip(sizes, losses).reduce(0) { sum, point in
      let difference = log(point.1) - log(floor + line(point.0))
      return sum + difference * difference
    }
  }

  /// The floor under the lowest loss whose line comes nearest to the points: on a grid, then finely around its best.
  private static func bestFloor(_ losses: [Double]) throws -> Double {
    let lowest = losses.min()!
    func miss(_ share: Double) throws -> Double {
      try residual(share * lowest, lineAbove(share * lowest, losses), losses)
    }
    var (low, high) = (0.0, 0.999)
    for _ in 0..<6 {
      let grid = (0...40).map { low + (high - low) * Double($0) / 40 }
      let misses = try grid.map(miss)
      let best = misses.indices.min { misses[$0] < misses[$1] }!
      (low, high) = (grid[max(0, best - 1)], grid[min(40, best + 1)])
    }
    return (low + high) / 2 < 1e-6 ? 0 : (low + high) / 2 * lowest
  }
}

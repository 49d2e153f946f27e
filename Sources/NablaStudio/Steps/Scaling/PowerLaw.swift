import Glibc
import NablaScaling

extension ScalingStep {
  /// Losses of models of six sizes, which the reader drags, and the power law through them.
  struct Fit: Encodable {
    var sizes: [Double]
    var losses: [Double]
    /// L = coefficient · N^exponent, by least squares of log L on log N.
    var exponent: Double
    var coefficient: Double
    /// The line at each size.
    var fitted: [Double]
    /// The share of the variance of log L that the line explains.
    var explained: Double
  }

  static let sizes: [Double] = [1e6, 1e7, 1e8, 1e9, 1e10, 1e11]

  static let fit = Computation.answer("fit") { query, _ in
    let starting = sizes.map { Kaplan.kaplan2020.parameters($0) }
    let losses = try query.numbers("losses", in: 0.1...20, atMost: sizes.count, default: starting)
    if losses.count != sizes.count { throw StudioError("losses must be \(sizes.count) numbers, not \(losses.count)") }
    let law = try PowerLawFit(x: sizes, y: losses, purpose: "a power law of the loss")
    let mean = law.y.reduce(0, +) / Double(law.y.count)
    let (total, rest) = zip(law.x, law.y).reduce((0.0, 0.0)) { sums, point in
      let (d, e) = (point.1 - mean, point.1 - law.line(point.0))
      return (sums.0 + d * d, sums.1 + e * e)
    }
    return Fit(
      sizes: sizes, losses: losses, exponent: law.exponent, coefficient: law.coefficient, fitted: sizes.map { law($0) },
      explained: total > 0 ? 1 - rest / total : 1)
  }
}

import Glibc
import NablaScaling

extension StudioStep {
  /// Step 6: how loss falls with parameters, tokens and compute.
  static let scaling = StudioStep(
    "scaling", title: "Scaling laws",
    computations: [
      ScalingStep.fit,
      ScalingStep.budget.recorded(
        combining: ["compute": ["23.76"] + (32...54).map { "\(Double($0) / 2)" }]),
    ])
}

enum ScalingStep {
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

  /// The best use of a compute budget by the law of Hoffmann et al.
  struct Budget: Encodable {
    struct Model: Encodable {
      var name: String
      var parameters, tokens, compute, loss: Double
    }
    var compute: Double
    var parameters: Double
    var tokens: Double
    var loss: Double
    var published: [Model]
    /// The loss of other sizes for the same compute.
    var sizes: [Double]
    var losses: [Double]
  }

  static let budget = Computation.answer("budget") { query, _ in
    let compute = pow(10, try query.number("compute", in: 15...28, default: 23.76))
    let law = Chinchilla.besiroglu
    let best = law.optimalAllocation(compute: compute)
    let sizes = (-24...24).map { best.parameters * pow(10, Double($0) / 12) }
    return Budget(
      compute: compute, parameters: best.parameters, tokens: best.tokens, loss: law.loss(best),
      published: PublishedModel.all.map {
        .init(
          name: $0.name, parameters: $0.allocation.parameters, tokens: $0.allocation.tokens,
          compute: $0.allocation.compute, loss: law.loss($0.allocation))
      },
      sizes: sizes, losses: sizes.map { law.loss(parameters: $0, tokens: compute / (6 * $0)) })
  }
}

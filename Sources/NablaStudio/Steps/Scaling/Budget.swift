import Glibc
import NablaScaling

extension ScalingStep {
  /// The plane of parameters and tokens under a law, and models on it.
  struct Plane: Encodable {
    /// A point of the plane.
    struct Place: Encodable {
      var parameters, tokens, loss: Double

      init(_ allocation: Allocation, _ law: Chinchilla) {
        (parameters, tokens, loss) = (allocation.parameters, allocation.tokens, law.loss(allocation))
      }
    }
    /// A model that was trained, and what the law would have made of its compute.
    struct Model: Encodable {
      var name: String
      var parameters, tokens, compute, loss: Double
      var best: Place
      var source: String
    }
    /// All pairs (N, D) of one loss.
    struct Contour: Encodable {
      var loss: Double
      var points: [[Double]]
      /// Where it crosses the best path.
      var crossing: [Double]
    }

    var law: Constants
    /// The best (N, D) of every budget: by this law, and by Kaplan's N = 1.3·10⁹ C^0.73.
    var path, kaplanPath: [[Double]]
    var contours: [Contour]
    var published: [Model]
  }

  static let plane = Computation.answer("plane") { query, _ in
    let law = try query.choice("law", default: PublishedLaw.besiroglu).law
    let budgets = (30...56).map { pow(10, Double($0) / 2) }
    return Plane(
      law: Constants(law),
      path: budgets.map { point(law.optimalAllocation(compute: $0)) },
      kaplanPath: budgets.map { point(Kaplan.kaplan2020.optimalAllocation(compute: $0)) },
      contours: contours(law, budgets: 1e17...1e27),
      published: PublishedModel.all.map {
        .init(
          name: $0.name, parameters: $0.allocation.parameters, tokens: $0.allocation.tokens,
          compute: $0.allocation.compute, loss: law.loss($0.allocation),
          best: .init(law.optimalAllocation(compute: $0.allocation.compute), law), source: $0.source)
      })
  }

  /// A compute budget and the best use of it.
  struct Budget: Encodable {
    var compute, petaflopDays: Double
    var parameters, tokens, loss: Double
    /// The loss of other sizes for the same compute, tokens C / 6N.
    var sizes: [Double]
    var losses: [Double]
  }

  static let budget = Computation.answer("budget") { query, _ in
    let compute = pow(10, try query.number("compute", in: 15...28, default: 23.76))
    let law = try query.choice("law", default: PublishedLaw.besiroglu).law
    let best = law.optimalAllocation(compute: compute)
    let sizes = (-24...24).map { best.parameters * pow(10, Double($0) / 12) }
    return Budget(
      compute: compute, petaflopDays: Compute.petaflopDays(flop: compute), parameters: best.parameters,
      tokens: best.tokens, loss: law.loss(best), sizes: sizes,
      losses: sizes.map { law.loss(parameters: $0, tokens: compute / (6 * $0)) })
  }

  private static func point(_ allocation: Allocation) -> [Double] { [allocation.parameters, allocation.tokens] }

  /// Contours of losses that are even in the logarithm of L − E. On one, the two terms share its excess e = L − E in
  /// every way: A/N^α = s e, B/D^β = (1 − s) e with s between 0 and 1.
  private static func contours(_ law: Chinchilla, budgets: ClosedRange<Double>, count: Int = 9) -> [Plane.Contour] {
    let (least, most) = (
      law.optimalLoss(compute: budgets.upperBound) - law.E, law.optimalLoss(compute: budgets.lowerBound) - law.E
    )
    return (0..<count).map { index in
      let excess = least * pow(most / least, Double(index) / Double(count - 1))
      let points = (-40...40).map { step in
        let odds = exp(Double(step) / 4)
        let (forSize, forTokens) = (excess * odds / (1 + odds), excess / (1 + odds))
        return [pow(law.A / forSize, 1 / law.alpha), pow(law.B / forTokens, 1 / law.beta)]
      }
      return Plane.Contour(
        loss: law.E + excess, points: points,
        crossing: point(law.optimalAllocation(compute: law.compute(optimalLoss: law.E + excess)!)))
    }
  }
}

import NablaScaling

extension StudioStep {
  /// Step 6: how loss falls with parameters, tokens and compute.
  static let scaling = StudioStep(
    "scaling", title: "Scaling laws",
    computations: [
      ScalingStep.fit.recorded([[:], ["floor": "1"]]),
      ScalingStep.plane.recorded(combining: ["law": ScalingStep.PublishedLaw.allCases.map(\.rawValue)]),
      ScalingStep.budget.recorded(combining: [
        "compute": budgets, "law": ScalingStep.PublishedLaw.allCases.map(\.rawValue),
      ]),
      ScalingStep.hand.recorded([[:]] + models), ScalingStep.table,
      ScalingStep.refit.recorded([[:]] + stride(from: 20, through: 240, by: 20).map { ["kept": "\($0)"] }),
    ])

  // What an exported page has the answers to.
  private static let budgets = ["23.76", "23.5"] + (32...54).map { "\(Double($0) / 2)" }
  private static let models = PublishedModel.all.map { model in
    ["parameters": "\(model.allocation.parameters)", "tokens": "\(model.allocation.tokens)"]
  }
}

enum ScalingStep {
  /// The constants of the parametric law that a reader may choose.
  enum PublishedLaw: String, CaseIterable {
    case besiroglu, hoffmann

    var law: Chinchilla { self == .hoffmann ? .hoffmann : .besiroglu }
  }

  /// L(N, D) = E + A/N^α + B/D^β, for the page.
  struct Constants: Encodable {
    var E, A, B, alpha, beta: Double
    /// a and b in N* ∝ C^a, D* ∝ C^b.
    var parameterExponent, tokenExponent: Double

    init(_ law: Chinchilla) {
      (E, A, B, alpha, beta) = (law.E, law.A, law.B, law.alpha, law.beta)
      (parameterExponent, tokenExponent) = (law.parameterExponent, law.tokenExponent)
    }
  }
}

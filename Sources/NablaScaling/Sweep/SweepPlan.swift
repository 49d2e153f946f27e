import Glibc

/// The small runs to which a law is fitted, and the larger one that tests it.
///
/// Budgets are a constant factor apart; at each, the sizes are evenly spaced in log N around the optimum of a law that
/// need not be right: the fit needs runs on both sides of the true optimum, and a factor of `spread` leaves room for
/// that.
public struct SweepPlan: Sendable, Codable, Hashable {
  /// One training run.
  public struct Run: Sendable, Codable, Hashable {
    public var shape: TransformerShape
    /// D.
    public var tokens: Double
    /// Peak, of AdamW.
    public var learningRate: Double

    /// 6ND with all parameters.
    public var compute: Double { 6 * Double(shape.parameterCount) * tokens }
  }

  /// In the order of compute.
  public var runs: [Run]
  /// Trained last, with `leap` times the compute of the largest of `runs`; its loss is predicted beforehand.
  public var test: Run

  /// 6ND of all.
  public var compute: Double { runs.reduce(test.compute) { $0 + $1.compute } }

  /// Spends `compute` in FLOP on everything.
  ///
  /// - Parameters:
  ///   - compute: FLOP for all runs and the test.
  ///   - law: The assumed law, for the optimum.
  ///   - rule: Gives each width its learning rate.
  ///   - vocabularySize: Of every model.
  ///   - context: Tokens of a sequence.
  ///   - shapes: Trained with every budget, in place of sizes around the optimum.
  ///   - budgets: Their number, each `factor` times the last, with `sizes` runs each.
  ///   - sizes: The number of runs with each budget.
  ///   - factor: The ratio of each budget to the one before.
  ///   - spread: The largest size of a budget over the smallest.
  ///   - leap: The compute of the test over that of the largest budget.
  /// - Throws: ``PlanError`` when the compute is too small for a model with this vocabulary.
  public init(
    compute: Double, law: any ScalingLaw, rule: LearningRateRule, vocabularySize: Int, context: Int,
    shapes: [TransformerShape]? = nil, budgets: Int = 4, sizes: Int = 5, factor: Double = 2.5, spread: Double = 9,
    leap: Double = 6
  ) throws(PlanError) {
    let sizes = shapes?.count ?? sizes
    precondition(budgets >= 3 && sizes >= 4, "SweepPlan: a fit needs at least 3 budgets and 4 sizes")
    // sizes · C (1 + f + … + f^(budgets-1)) + leap · C f^(budgets-1) = compute
    let powers = (0..<budgets).map { pow(factor, Double($0)) }
    let smallest = compute / (Double(sizes) * powers.reduce(0, +) + leap * powers.last!)

    // The shape's own count, so that the compute is as planned.
    func run(_ shape: TransformerShape, compute: Double) -> Run {
      Run(shape: shape, tokens: compute / (6 * Double(shape.parameterCount)), learningRate: rule(width: shape.width))
    }
    func nearest(_ parameters: Double) throws(PlanError) -> TransformerShape {
      try TransformerShape.nearest(parameters: parameters, vocabularySize: vocabularySize, context: context)
    }
    // Where the optimum is smaller than a transformer can be, the sizes lie above it.
    let smallestModel = Double(
      TransformerShape(
        vocabularySize: vocabularySize, context: context, width: 16, layerCount: 1, headCount: 1, tieEmbeddings: true
      ).parameterCount)
    runs = []
    for power in powers {
      let budget = smallest * power
      let optimum = law.optimalAllocation(compute: budget).parameters
      let low = max(optimum / spread.squareRoot(), smallestModel)
      for index in 0..<sizes {
        let shape: TransformerShape
        if let shapes {
          shape = shapes[index]
        } else {
          shape = try nearest(low * pow(spread, Double(index) / Double(sizes - 1)))
        }
        runs.append(run(shape, compute: budget))
      }
    }
    let largest = smallest * powers.last! * leap
    // Not smaller than what it is predicted from.
    let given = Double(shapes?.map(\.parameterCount).max() ?? 0)
    test = run(
      try nearest(max(given, smallestModel, law.optimalAllocation(compute: largest).parameters)), compute: largest)
  }
}

extension SweepPlan {
  /// A number of the runs: those of the smallest and the largest model, and others spread evenly between.
  func samplesOfSize(_ count: Int) -> [Run] {
    let sorted = (runs + [test]).sorted { $0.shape.parameterCount < $1.shape.parameterCount }
    var result: [Run] = []
    for index in 0..<count {
      let run = sorted[index * (sorted.count - 1) / (count - 1)]
      if run.shape != result.last?.shape { result.append(run) }
    }
    return result
  }

  /// The plan with the most compute that fits, to within 0.1 %; nil if none fits.
  ///
  /// - Parameters:
  ///   - limit: An upper bound of the compute, in FLOP.
  ///   - make: Throws for too little compute.
  static func largest(
    _ limit: Double, _ make: (Double) throws(PlanError) -> SweepPlan, fits: (SweepPlan) -> Bool
  ) -> SweepPlan? {
    var (low, high) = (log(1e6), log(limit))
    var best: SweepPlan?
    while high - low > 1e-3 {
      let middle = (low + high) / 2
      // With too little compute there is no plan: look higher.
      guard let plan = try? make(exp(middle)) else {
        low = middle
        continue
      }
      if fits(plan) { (best, low) = (plan, middle) } else { high = middle }
    }
    return best
  }
}

import Glibc

/// The small runs to which a law is fitted, and the larger one that tests it.
///
/// Budgets are a factor apart; at each of them the sizes are evenly spaced in log N around the optimum of a law that
/// need not be accurate: the fit needs runs on both sides of the true optimum, and a factor of `spread` allows for
/// that.
public struct SweepPlan: Sendable {
  /// One run.
  public struct Run: Sendable, Hashable {
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
  ///   - law: The assumed law, for the optimum.
  ///   - rule: Gives each width its learning rate.
  ///   - budgets: The number of budgets, each `factor` times the previous one, with `sizes` runs each.
  ///   - spread: The largest size of a budget over the smallest.
  ///   - leap: The compute of the test over that of the largest budget.
  /// - Throws: ``PlanError`` when the compute is too small for a model with this vocabulary.
  public init(
    compute: Double, law: any ScalingLaw, rule: LearningRateRule, vocabularySize: Int, context: Int, budgets: Int = 4,
    sizes: Int = 5, factor: Double = 2.5, spread: Double = 9, leap: Double = 6
  ) throws(PlanError) {
    precondition(budgets >= 3 && sizes >= 4, "SweepPlan: a fit requires at least 3 budgets and 4 sizes")
    // sizes · C (1 + f + … + f^(budgets-1)) + leap · C f^(budgets-1) = compute
    let powers = (0..<budgets).map { pow(factor, Double($0)) }
    let smallest = compute / (Double(sizes) * powers.reduce(0, +) + leap * powers.last!)

    func run(parameters: Double, compute: Double) throws(PlanError) -> Run {
      let shape = try TransformerShape.nearest(
        parameters: parameters, vocabularySize: vocabularySize, context: context)
      // The shape's own count, so that the compute is as planned.
      return Run(
        shape: shape, tokens: compute / (6 * Double(shape.parameterCount)), learningRate: rule(width: shape.width))
    }
    runs = []
    for power in powers {
      let budget = smallest * power
      let optimum = law.optimalAllocation(compute: budget).parameters
      for index in 0..<sizes {
        let offset = Double(index) / Double(sizes - 1) - 0.5
        runs.append(try run(parameters: optimum * pow(spread, offset), compute: budget))
      }
    }
    let largest = smallest * powers.last! * leap
    test = try run(parameters: law.optimalAllocation(compute: largest).parameters, compute: largest)
  }
}

/// The learning rate of a width, given that of another: inversely proportional, the rule of maximal-update
/// parametrization for the matrices of hidden layers under Adam (Yang et al. 2022, "Tensor Programs V", table 8), here
/// for the whole model.
///
/// Adam moves each weight by about the learning rate, whatever the gradient's size. A dot product of C inputs then
/// changes by about C times that, so the same change at every width requires a rate proportional to 1/C.
public struct LearningRateRule: Sendable, Hashable {
  /// The width for which `learningRate` was tuned.
  public var width: Int
  public var learningRate: Double

  public init(learningRate: Double, width: Int) {
    self.learningRate = learningRate
    self.width = width
  }

  public func callAsFunction(width: Int) -> Double { learningRate * Double(self.width) / Double(width) }
}

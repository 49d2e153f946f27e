import Glibc

/// What to train with a budget.
///
/// ```swift
/// let law = NamedLaw.published("besiroglu")!
/// let plan = try TrainingPlan(PlanRequest(law: law, budget: .compute(1e21)))
/// print(plan.allocation.parameters, plan.loss, plan.shape)
/// ```
public struct PlanRequest: Sendable {
  /// What is given; the law finds the rest.
  public enum Budget: Sendable, Hashable {
    /// FLOP.
    case compute(Double)
    /// The size of the model; as many tokens as make it optimal.
    case parameters(Double)
    /// The tokens; a model of the size that they train optimally.
    case tokens(Double)
    /// Both.
    case both(Allocation)
  }

  public var law: NamedLaw
  public var budget: Budget
  public var hardware: Hardware?
  /// The share of the hardware's FLOP a second that a training gets.
  public var utilization: Double
  /// In currency an hour for one accelerator.
  public var hourlyPrice: Double?
  public var vocabularySize = 50_304
  public var context = 2_048
  /// Sequences at a time on one accelerator.
  public var microBatch = 1
  /// How many different tokens there are, when there are few.
  public var uniqueTokens: Double?
  /// Tokens that the model will read and write in its life.
  public var servedTokens: Double?

  public init(law: NamedLaw, budget: Budget, hardware: Hardware? = nil, utilization: Double = 0.4) {
    self.law = law
    self.budget = budget
    self.hardware = hardware
    self.utilization = utilization
  }
}

/// The answer to a ``PlanRequest``.
public struct TrainingPlan: Sendable {
  public var request: PlanRequest
  public var allocation: Allocation
  public var loss: Double
  /// Of the loss, the parameters and the tokens, in the middle 95 % of the law's samples; nil without samples.
  public var lossInterval: ClosedRange<Double>?
  public var parametersInterval: ClosedRange<Double>?
  public var tokensInterval: ClosedRange<Double>?
  /// How far beyond the law's data this is, 1 within them.
  public var extrapolation: Double?
  public var shape: TransformerShape
  public var flops: TrainingFLOPs
  public var memory: TrainingMemory
  /// On the hardware, at the utilization.
  public var seconds: Double?
  public var cost: Double?
  public var rules: [HyperparameterRule]
  public var overTraining: [OverTraining]
  public var serving: Allocation?
  public var dataLimited: DataLimited?
  /// What the other published laws make of the same compute.
  public var others: [(law: NamedLaw, allocation: Allocation)]

  public struct DataLimited: Sendable, Hashable {
    public var allocation: Allocation
    public var epochs: Double
    public var loss: Double
    /// The loss if all tokens were different.
    public var unlimitedLoss: Double
  }

  public init(_ request: PlanRequest) throws(PlanError) {
    self.request = request
    let law = request.law.law
    let allocation = try Self.allocation(request)
    let compute = allocation.compute
    self.allocation = allocation
    loss = law.loss(allocation)
    lossInterval = request.law.interval { $0.loss(allocation) }
    if case .compute = request.budget {
      parametersInterval = request.law.interval { $0.optimalAllocation(compute: compute).parameters }
      tokensInterval = request.law.interval { $0.optimalAllocation(compute: compute).tokens }
    }
    extrapolation = request.law.extrapolation(to: compute)
    // Kaplan's N leaves the embeddings out; the shape has them.
    var parameters = allocation.parameters
    if case .kaplan = request.law.form { parameters = Kaplan.totalParameters(nonEmbedding: parameters) }
    shape = try TransformerShape.nearest(
      parameters: parameters, vocabularySize: request.vocabularySize, context: request.context)
    flops = TrainingFLOPs(shape, tokens: allocation.tokens)
    memory = TrainingMemory(shape, sequences: request.microBatch)
    seconds = request.hardware?.seconds(compute: flops.sixND, utilization: request.utilization)
    if let seconds, let price = request.hourlyPrice, let hardware = request.hardware {
      cost = seconds / 3600 * price * Double(hardware.count)
    }
    rules = HyperparameterRule.all(
      parameters: Double(shape.nonEmbeddingCount), tokens: allocation.tokens, loss: loss)
    overTraining = request.law.chinchilla.map { OverTraining.table($0, compute: compute) } ?? []
    serving = request.servedTokens.flatMap { served in
      request.law.chinchilla?.servingAllocation(loss: law.loss(allocation), servedTokens: served)
    }
    dataLimited = Self.limited(request, compute: compute)
    others = NamedLaw.published.filter { $0.name != request.law.name }.map {
      ($0, $0.law.optimalAllocation(compute: compute))
    }
  }

  private static func allocation(_ request: PlanRequest) throws(PlanError) -> Allocation {
    func positive(_ value: Double, _ name: String) throws(PlanError) -> Double {
      guard value > 0, value.isFinite else { throw PlanError("\(name) must be positive and finite, not \(value)") }
      return value
    }
    switch request.budget {
    case .compute(let compute): return request.law.law.optimalAllocation(compute: try positive(compute, "compute"))
    case .both(let allocation):
      _ = try positive(allocation.parameters, "parameters")
      _ = try positive(allocation.tokens, "tokens")
      return allocation
    case .parameters(let parameters):
      let parameters = try positive(parameters, "parameters")
      return request.law.law.optimalAllocation(
        compute: solved { request.law.law.optimalAllocation(compute: $0).parameters / parameters })
    case .tokens(let tokens):
      let tokens = try positive(tokens, "tokens")
      return request.law.law.optimalAllocation(
        compute: solved { request.law.law.optimalAllocation(compute: $0).tokens / tokens })
    }
  }

  /// The compute at which a rising function is 1.
  private static func solved(_ f: (Double) -> Double) -> Double {
    var (low, high) = (0.0, 200.0)  // ln C
    for _ in 0..<200 {
      let middle = (low + high) / 2
      if f(exp(middle)) < 1 { low = middle } else { high = middle }
    }
    return exp((low + high) / 2)
  }

  private static func limited(_ request: PlanRequest, compute: Double) -> DataLimited? {
    guard let unique = request.uniqueTokens, let base = request.law.chinchilla else { return nil }
    let constants = DataConstrained.muennighoff
    let law = DataConstrained(
      base: base, tokenDecay: constants.tokenDecay, parameterDecay: constants.parameterDecay)
    let best = law.optimalAllocation(compute: compute, uniqueTokens: unique)
    return DataLimited(
      allocation: best, epochs: max(1, best.tokens / unique),
      loss: law.loss(parameters: best.parameters, tokens: best.tokens, uniqueTokens: unique),
      unlimitedLoss: base.optimalLoss(compute: compute))
  }
}

extension Kaplan {
  /// N with embeddings for N without, in models of the usual shapes: N + 47,491·N^(1/3) (Pearce and Song 2024).
  public static func totalParameters(nonEmbedding n: Double) -> Double { n + 47_491 * cbrt(n) }
}

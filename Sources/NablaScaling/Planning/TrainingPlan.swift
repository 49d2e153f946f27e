import Glibc

/// A compute-optimal plan for a training budget.
///
/// ```swift
/// let law = NamedLaw.published("besiroglu")!
/// let plan = try TrainingPlan(PlanRequest(law: law, budget: .compute(1e21)))
/// print(plan.allocation.parameters, plan.loss, plan.shape)
/// ```
public struct PlanRequest: Sendable {
  /// The given budget; the law determines the rest.
  public enum Budget: Sendable, Hashable {
    /// FLOP.
    case compute(Double)
    /// The size of the model, with the tokens for which it is optimal.
    case parameters(Double)
    /// The tokens, with the model size for which they are optimal.
    case tokens(Double)
    /// Both.
    case both(Allocation)
  }

  public var law: NamedLaw
  public var budget: Budget
  public var hardware: Hardware?
  /// The model FLOPs utilization: the fraction of the hardware's peak.
  public var utilization: Double
  /// The price per accelerator and hour.
  public var hourlyPrice: Double?
  public var vocabularySize = 50_304
  public var context = 2_048
  /// The micro-batch size in sequences per accelerator.
  public var microBatch = 1
  /// The number of unique tokens, if data are limited.
  public var uniqueTokens: Double?
  /// Tokens to serve over the model's lifetime, prompts and completions.
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
  /// The 95 % intervals of the loss, the parameters and the tokens, from the law's samples; nil without samples.
  public var lossInterval: ClosedRange<Double>?
  public var parametersInterval: ClosedRange<Double>?
  public var tokensInterval: ClosedRange<Double>?
  /// The factor beyond the range of the law's data; 1 within it.
  public var extrapolation: Double?
  public var shape: TransformerShape
  public var flops: TrainingFLOPs
  public var memory: TrainingMemory
  /// On the hardware, at the given utilization.
  public var seconds: Double?
  public var cost: Double?
  public var rules: [HyperparameterRule]
  public var overTraining: [OverTraining]
  public var serving: Allocation?
  public var dataLimited: DataLimited?
  /// The other published laws' plans for the same compute.
  public var others: [(law: NamedLaw, allocation: Allocation)]

  public struct DataLimited: Sendable, Hashable {
    public var allocation: Allocation
    public var epochs: Double
    public var loss: Double
    /// The loss if all tokens were unique.
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
    // Kaplan's N excludes the embeddings; the shape includes them.
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

  /// The compute at which an increasing function is 1.
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

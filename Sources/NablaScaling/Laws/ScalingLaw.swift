/// A law of the loss that a language model reaches in training.
///
/// N is the number of parameters, D the number of training tokens, C = 6ND the training compute in FLOP, and the loss
/// is the mean cross-entropy in nats per token. A law is specific to the tokenizer, the data and the recipe it was
/// fitted on: losses of laws for different data cannot be compared, but their splits of a budget can.
public protocol ScalingLaw: Sendable {
  /// The loss of a model of `parameters` trained on `tokens`.
  func loss(parameters: Double, tokens: Double) -> Double

  /// The parameters and tokens that give the lowest loss for `compute` = 6ND, in FLOP.
  func optimalAllocation(compute: Double) -> Allocation
}

/// The split of a training budget between model size and tokens.
public struct Allocation: Sendable, Hashable {
  /// N.
  public var parameters: Double
  /// D.
  public var tokens: Double

  public init(parameters: Double, tokens: Double) {
    self.parameters = parameters
    self.tokens = tokens
  }

  /// C = 6ND, in FLOP: two per parameter and token forward, four backward (Kaplan et al. 2020, section 2.1).
  public var compute: Double { 6 * parameters * tokens }
  public var tokensPerParameter: Double { tokens / parameters }
}

extension ScalingLaw {
  public func loss(_ allocation: Allocation) -> Double {
    loss(parameters: allocation.parameters, tokens: allocation.tokens)
  }

  /// The loss of the best split of `compute`, in FLOP.
  public func optimalLoss(compute: Double) -> Double { loss(optimalAllocation(compute: compute)) }
}

/// Units of compute.
public enum Compute {
  /// A day at 10¹⁵ FLOP/s: the unit of Kaplan et al. (2020).
  public static let petaflopDay = 1e15 * 24 * 60 * 60

  /// FLOPs of this many PF-days.
  public static func flop(petaflopDays: Double) -> Double { petaflopDays * petaflopDay }
  /// PF-days of this many FLOPs.
  public static func petaflopDays(flop: Double) -> Double { flop / petaflopDay }
}

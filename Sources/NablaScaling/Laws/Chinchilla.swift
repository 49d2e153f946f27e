import Glibc

/// The parametric law of Hoffmann et al. (2022, equation 2):
///
///     L(N, D) = E + A / N^α + B / D^β
///
/// E is the irreducible loss (the entropy of the text), the second term the loss from finite model size, the
/// third that from finite training.
public struct Chinchilla: ScalingLaw, Hashable, Codable {
  /// The irreducible loss, in nats per token.
  public var E: Double
  public var A: Double
  public var B: Double
  public var alpha: Double
  public var beta: Double

  public init(E: Double, A: Double, B: Double, alpha: Double, beta: Double) {
    self.E = E
    self.A = A
    self.B = B
    self.alpha = alpha
    self.beta = beta
  }

  public func loss(parameters: Double, tokens: Double) -> Double {
    E + A / pow(parameters, alpha) + B / pow(tokens, beta)
  }

  /// Setting the derivative of L along 6ND = C to zero (equation 4 of the paper) gives, with
  /// G = (αA / βB)^(1/(α+β)):
  ///
  ///     N = G (C/6)^(β/(α+β)),   D = (C/6)^(α/(α+β)) / G
  public func optimalAllocation(compute: Double) -> Allocation {
    let product = compute / 6
    return Allocation(
      parameters: balance * pow(product, parameterExponent), tokens: pow(product, tokenExponent) / balance)
  }

  /// Whether the loss falls with parameters and tokens alike. A fit of runs that do not show it can come to other
  /// exponents, and then no split of a budget is the best, or to ones that put it beyond the range of numbers.
  public var hasOptimum: Bool {
    alpha > 0 && beta > 0 && A > 0 && B > 0 && E.isFinite
      // The split of a large budget spends that budget, unless a part of it overflows or vanishes.
      && abs(optimalAllocation(compute: 1e30).compute / 1e30 - 1) < 1e-6
  }

  /// a in N ∝ C^a: β / (α + β).
  public var parameterExponent: Double { beta / (alpha + beta) }
  /// b in D ∝ C^b: α / (α + β).
  public var tokenExponent: Double { alpha / (alpha + beta) }
  /// The exponent of compute in the loss above E along the optimal path: αβ / (α + β).
  public var computeExponent: Double { alpha * beta / (alpha + beta) }
  /// G = (αA / βB)^(1/(α+β)).
  private var balance: Double { pow(alpha * A / (beta * B), 1 / (alpha + beta)) }

  /// The compute whose optimal split trains a model of this size.
  public func optimalCompute(parameters: Double) -> Double { 6 * pow(parameters / balance, 1 / parameterExponent) }
  /// The compute whose optimal split uses this many tokens.
  public func optimalCompute(tokens: Double) -> Double { 6 * pow(tokens * balance, 1 / tokenExponent) }

  /// The tokens that bring a model of `parameters` to `loss`; nil when none do, because the model is too small.
  public func tokens(parameters: Double, loss: Double) -> Double? {
    let rest = loss - E - A / pow(parameters, alpha)
    return rest > 0 ? pow(B / rest, 1 / beta) : nil
  }

  /// The smallest compute that reaches `loss`; nil when the loss is not above ``E``. Along the optimal path the excess
  /// loss is a power of compute, so that one point of it gives all.
  public func compute(optimalLoss loss: Double) -> Double? {
    guard loss > E else { return nil }
    let reference = 6.0
    return reference * pow((optimalLoss(compute: reference) - E) / (loss - E), 1 / computeExponent)
  }
}

extension Chinchilla {
  /// The constants fitted by Hoffmann et al., from the paper's LaTeX source: ln A 6.0073404, ln B 6.0179186,
  /// ln E 0.5267228.
  public static let hoffmann = Chinchilla(
    E: exp(0.5267228), A: exp(6.0073404), B: exp(6.0179186), alpha: 0.33917084, beta: 0.2849083)

  /// The same as the paper prints them (appendix D.3). Two digits of an exponent are too few: at Chinchilla's own
  /// budget of 5.76·10²³ FLOP they turn 59 tokens per parameter into 93.
  public static let hoffmannRounded = Chinchilla(E: 1.69, A: 406.4, B: 410.7, alpha: 0.34, beta: 0.28)

  /// Besiroglu et al. (2024), "Chinchilla Scaling: A replication attempt", fitted to 240 points digitized from the
  /// paper's figure 4: it agrees with the paper's other two approaches, unlike the published constants.
  public static let besiroglu = Chinchilla(E: 1.8172, A: 482.01, B: 2085.43, alpha: 0.3478, beta: 0.3658)
}

import Glibc

/// The law of Muennighoff et al. (2023), "Scaling Data-Constrained Language Models", for repeated data:
/// the law of ``Chinchilla`` with effective counts in place of N and D (equations 5 and 6),
///
///     D' = U_D + U_D R_D* (1 - exp(-R_D / R_D*)),   R_D = D / U_D - 1 repetitions of U_D unique tokens
///     N' = U_N + U_N R_N* (1 - exp(-R_N / R_N*)),   R_N = N / U_N - 1
///
/// U_N is the size that U_D tokens would train optimally. Four epochs are nearly as good as new data; after R_D* ≈
/// 15 repetitions a token has lost all but 1/e of its value.
public struct DataConstrained: Sendable, Hashable, Codable {
  /// The law for data seen once.
  public var base: Chinchilla
  /// R_D*.
  public var tokenDecay: Double
  /// R_N*.
  public var parameterDecay: Double

  public init(base: Chinchilla, tokenDecay: Double, parameterDecay: Double) {
    self.base = base
    self.tokenDecay = tokenDecay
    self.parameterDecay = parameterDecay
  }

  /// The loss of a model of `parameters` trained on `tokens`, of which `uniqueTokens` are different.
  public func loss(parameters: Double, tokens: Double, uniqueTokens: Double) -> Double {
    let unique = min(tokens, uniqueTokens)
    let optimal = base.optimalAllocation(compute: base.optimalCompute(tokens: unique)).parameters
    return base.loss(
      parameters: Self.effective(parameters, unique: min(parameters, optimal), decay: parameterDecay),
      tokens: Self.effective(tokens, unique: unique, decay: tokenDecay))
  }

  /// The effective value of `total` when only `unique` of it is new.
  package static func effective(_ total: Double, unique: Double, decay: Double) -> Double {
    unique + unique * decay * -expm1(-(total / unique - 1) / decay)
  }

  /// The split of `compute` = 6ND with the lowest loss when there are only `uniqueTokens`. It has no closed form; the
  /// loss has one minimum along log N.
  public func optimalAllocation(compute: Double, uniqueTokens: Double) -> Allocation {
    let start = log(base.optimalAllocation(compute: compute).parameters)
    let size = exp(
      goldenSectionMinimum(in: start - 7...start + 7) { logarithm in
        loss(parameters: exp(logarithm), tokens: compute / (6 * exp(logarithm)), uniqueTokens: uniqueTokens)
      })
    return Allocation(parameters: size, tokens: compute / (6 * size))
  }
}

extension DataConstrained {
  /// The constants of the paper, fitted on C4.
  public static let muennighoff = DataConstrained(
    base: Chinchilla(E: 1.8691, A: 520.82, B: 1487.7, alpha: 0.35266, beta: 0.35266), tokenDecay: 15.3878,
    parameterDecay: 5.3097)
}

/// The minimum of a unimodal function in `range`, to about 1e-9 of the range.
package func goldenSectionMinimum(in range: ClosedRange<Double>, _ f: (Double) -> Double) -> Double {
  let ratio = (5.0.squareRoot() - 1) / 2
  var (low, high) = (range.lowerBound, range.upperBound)
  var (left, right) = (high - ratio * (high - low), low + ratio * (high - low))
  var (atLeft, atRight) = (f(left), f(right))
  for _ in 0..<60 {
    if atLeft <= atRight {
      (high, right, atRight) = (right, left, atLeft)
      left = high - ratio * (high - low)
      atLeft = f(left)
    } else {
      (low, left, atLeft) = (left, right, atRight)
      right = low + ratio * (high - low)
      atRight = f(right)
    }
  }
  return (low + high) / 2
}

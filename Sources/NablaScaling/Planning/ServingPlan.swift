import Glibc

extension Chinchilla {
  /// The model that reaches `loss` with the least compute for training and serving together (Sardana et al. 2024,
  /// equation 3):
  ///
  ///     minimize 6·N·D + 2·N·D_served   with   L(N, D) = loss
  ///
  /// With tokens to serve it is smaller than the training optimum and is trained on more tokens. At the minimum the
  /// elasticities of the two terms of the loss have the ratio 1 + D_served / 3D. nil when the loss is not above ``E``.
  public func servingAllocation(loss: Double, servedTokens: Double) -> Allocation? {
    guard let compute = compute(optimalLoss: loss) else { return nil }
    let largest = log(optimalAllocation(compute: compute).parameters)
    // The smallest size that reaches the loss with infinitely many tokens.
    let smallest = log(A / (loss - E)) / alpha
    let size = exp(
      goldenSectionMinimum(in: smallest...largest) { logarithm in
        let size = exp(logarithm)
        guard let tokens = tokens(parameters: size, loss: loss) else { return .infinity }
        return log(6 * size * tokens + 2 * size * servedTokens)
      })
    return tokens(parameters: size, loss: loss).map { Allocation(parameters: size, tokens: $0) }
  }
}

/// The cost of a model smaller or larger than the optimum.
public struct OverTraining: Sendable, Hashable {
  /// The size as a fraction of the optimum.
  public var share: Double
  /// At the same compute.
  public var allocation: Allocation
  public var loss: Double
  /// The compute that brings this size to the optimum's loss, as a multiple; nil when none does.
  public var computeForSameLoss: Double?

  /// A row for each fraction of the optimal size for `compute`.
  public static func table(
    _ law: Chinchilla, compute: Double, shares: [Double] = [2, 1, 0.5, 0.25, 0.1, 0.05]
  ) -> [OverTraining] {
    let optimum = law.optimalAllocation(compute: compute)
    return shares.map { share in
      let size = optimum.parameters * share
      let allocation = Allocation(parameters: size, tokens: compute / (6 * size))
      let needed = law.tokens(parameters: size, loss: law.loss(optimum))
      return OverTraining(
        share: share, allocation: allocation, loss: law.loss(allocation),
        computeForSameLoss: needed.map { 6 * size * $0 / compute })
    }
  }
}

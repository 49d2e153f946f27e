/// Transfers a learning rate from one width to another: it is inversely proportional to the width, the rule of
/// maximal-update parametrization (μP) for the matrices of hidden layers under Adam (Yang et al. 2022, "Tensor Programs
/// V", table 8), here for the whole model.
///
/// Adam moves each weight by about the learning rate, whatever the gradient's size. A sum over C inputs then changes by
/// about C times that, so the same change at every width requires a rate proportional to 1/C.
public struct LearningRateRule: Sendable, Codable, Hashable {
  /// The width for which `learningRate` was tuned.
  public var width: Int
  public var learningRate: Double

  public init(learningRate: Double, width: Int) {
    self.learningRate = learningRate
    self.width = width
  }

  public func callAsFunction(width: Int) -> Double { learningRate * Double(self.width) / Double(width) }
}

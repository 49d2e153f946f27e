/// The learning rate of a width when that of another is known: inversely proportional, the rule of maximal-update
/// parametrization for the matrices of hidden layers under Adam (Yang et al. 2022, "Tensor Programs V", table 8), here
/// for the whole model.
///
/// Adam moves each weight by about the learning rate, whatever the gradient's size. A product of C inputs then changes by
/// about C times that, so that the same change in every width takes a rate in 1/C.
public struct LearningRateRule: Sendable, Codable, Hashable {
  /// The width at which `learningRate` was found good.
  public var width: Int
  public var learningRate: Double

  public init(learningRate: Double, width: Int) {
    self.learningRate = learningRate
    self.width = width
  }

  public func callAsFunction(width: Int) -> Double { learningRate * Double(self.width) / Double(width) }
}

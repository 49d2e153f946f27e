import NablaNN
import NablaTensor

extension RLHFStep {
  /// The DPO loss of a pair by the margin of its log-ratios, for one β.
  struct Preference: Encodable {
    /// Δ = ln π/π_ref of the chosen completion minus that of the rejected one, in nats.
    var margins: [Double]
    var losses: [Double]
    /// -dL/dΔ: how strongly a step pulls on the pair.
    var pulls: [Double]
    /// σ(βΔ): the probability that the chosen one is preferred.
    var probabilities: [Double]
  }

  static let preference = Computation.answer("preference") { query, _ in
    let beta = Float(try query.number("beta", in: 0.01...5, default: 0.1))
    let margins = Tensor((-60...60).map { Float($0) / 2 })
    func losses(_ margins: Tensor) -> Tensor {
      let ones = [Int](repeating: 1, count: margins.count)
      let pairs = PreferenceLogProbabilities(
        chosen: margins, rejected: .zeros(margins.shape), reference: nil, chosenLengths: ones, rejectedLengths: ones)
      return DPOLoss.sigmoid(pairs, beta: Tensor(beta))
    }
    let (_, slopes) = valueAndGradient(at: [margins]) { losses($0[0]).sum() }
    return Preference(
      margins: margins.array(of: Double.self), losses: losses(margins).array(of: Double.self),
      pulls: slopes[0].array(of: Double.self).map { -$0 },
      probabilities: (margins * Tensor(beta)).sigmoid().array(of: Double.self))
  }
}

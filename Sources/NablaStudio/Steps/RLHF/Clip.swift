import NablaNN
import NablaTensor

extension RLHFStep {
  /// PPO's clipped surrogate and its gradient over the ratio, for an advantage of either sign.
  struct Clip: Encodable {
    var ratios: [Double]
    var surrogate: [Double]
    var unclipped: [Double]
    /// At the ratio asked for.
    var value: Double
    /// d/dr there: 0 where the clip holds.
    var gradient: Double
  }

  static let clip = Computation.answer("clip") { query, _ in
    let ratio = Float(try query.number("ratio", in: 0...3, default: 1))
    let epsilon = Float(try query.number("epsilon", in: 0.01...0.9, default: 0.2))
    let advantage: Float = try query.flag("positive", default: true) ? 1 : -1
    func surrogate(_ ratios: Tensor) -> Tensor {
      clippedSurrogate(
        ratio: ratios, advantages: .ones(ratios.shape) * Tensor(advantage), clipLow: epsilon, clipHigh: epsilon)
    }
    let ratios = Tensor((0...100).map { Float($0) / 40 })
    let point = Tensor([ratio])
    let (value, gradient) = valueAndGradient(at: [point]) { surrogate($0[0]).sum() }
    return Clip(
      ratios: ratios.array(of: Double.self), surrogate: surrogate(ratios).array(of: Double.self),
      unclipped: (ratios * Tensor(advantage)).array(of: Double.self), value: Double(value.item()),
      gradient: Double(gradient[0].item()))
  }
}

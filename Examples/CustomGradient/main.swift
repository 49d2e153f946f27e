// A layer with a custom gradient: Snake, y = x + sin²(αx)/α with a learned α for each channel, which suits
// periodic data (Ziyin, Hartwig & Ueda 2020). The gradient is written by hand and checked against finite differences.
//
//   swift run -c release CustomGradient
import Nabla

final class Snake: Module {
  /// α: [C].
  @Parameter var alpha: Tensor

  init(channels: Int) { alpha = .ones([channels]) }

  /// x: [N, C] → [N, C].
  func callAsFunction(_ x: Tensor) -> Tensor { snake(x, alpha) }
}

/// With s = sin(αx) and sin(2αx) = 2·s·cos(αx):
///
///     dy/dx = 1 + sin(2αx)         dy/dα = x·sin(2αx)/α - s²/α²
func snake(_ x: Tensor, _ alpha: Tensor) -> Tensor {
  // The gradient needs the values of the inputs, not their computation graph.
  let (values, a) = (x.stopGradient(), alpha.stopGradient())
  return Tensor.withGradient(of: [x, alpha]) { inputs in
    inputs[0] + (inputs[1] * inputs[0]).sin().square() / inputs[1]
  } backward: { gradient in
    let double = (2 * a * values).sin()
    let alphaPart = values * double / a - (a * values).sin().square() / a.square()
    return [gradient * (1 + double), (gradient * alphaPart).sum(axis: 0)]
  }
}

/// The largest absolute difference between a gradient and the central difference (f(z + h) - f(z - h)) / 2h.
func largestError(of gradient: Tensor, at z: Tensor, _ function: (Tensor) -> Tensor) -> Float {
  let h: Float = 1e-2
  let (values, slopes) = (z.array(), gradient.array())
  return values.indices.map { i in
    let ends = [h, -h].map { step in
      var moved = values
      moved[i] += step
      return function(Tensor(moved, z.shape)).item()
    }
    return abs(slopes[i] - (ends[0] - ends[1]) / (2 * h))
  }.max()!
}

var random = RandomSource(seed: 7)
let x = random.normal([5, 3])
let alpha = random.uniform([3], in: 0.8..<1.4)
let target = random.normal([5, 3])

let (_, gradients) = valueAndGradient(at: [x, alpha]) { snake($0[0], $0[1]).meanSquaredError(target) }
let errors = (
  x: largestError(of: gradients[0], at: x) { snake($0, alpha).meanSquaredError(target) },
  alpha: largestError(of: gradients[1], at: alpha) { snake(x, $0).meanSquaredError(target) }
)
print("largest error: x \(errors.x), alpha \(errors.alpha)")
precondition(max(errors.x, errors.alpha) < 2e-3, "the gradient written by hand is wrong")

let layer = Snake(channels: 3)
let optimizer = AdamW(learningRate: constant(1e-2), weightDecay: 0)
for _ in 0..<200 {
  let (_, gradients) = valueAndGradient(of: layer) { $0(x).meanSquaredError(snake(x, alpha)) }
  optimizer.update(layer, with: gradients)
}
print("learned \(layer.alpha.array()), made with \(alpha.array())")

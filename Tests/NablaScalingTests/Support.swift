import Foundation
import NablaTensor

import NablaScaling

extension RandomSource {
  /// A normally distributed number (Box and Muller).
  mutating func gaussian() -> Double {
    (-2 * log(1 - uniform())).squareRoot() * cos(2 * .pi * uniform())
  }
}

/// Runs of several budgets and sizes around the optimum, with noise in ln L.
func syntheticPoints(
  _ law: Chinchilla, budgets: Int = 8, sizes: Int = 8, noise: Double = 0, seed: UInt64 = 1
) -> [ScalingPoint] {
  var random = RandomSource(seed: seed)
  return (0..<budgets).flatMap { i in
    (0..<sizes).map { j in
      let compute = pow(10, 18 + 3.5 * Double(i) / Double(budgets - 1))
      let n = law.optimalAllocation(compute: compute).parameters * pow(10, -0.7 + 1.4 * Double(j) / Double(sizes - 1))
      let d = compute / (6 * n)
      let factor = noise == 0 ? 1 : exp(noise * random.gaussian())
      return ScalingPoint(parameters: n, tokens: d, loss: law.loss(parameters: n, tokens: d) * factor)
    }
  }
}

/// The runs of Hoffmann et al. (2022) that Besiroglu et al. (2024) fit: all but the five of the highest loss.
func publishedPoints() throws -> [ScalingPoint] {
  let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  let path = root.appendingPathComponent("Examples/ScalingLaws/chinchilla-figure-4.csv").path
  return Array(try PointTable(contentsOfFile: path).points.sorted { $0.loss < $1.loss }.dropLast(5))
}

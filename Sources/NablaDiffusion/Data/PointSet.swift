import Glibc
import NablaTensor

/// Points in the plane drawn from well-known shapes: the simplest data that can reveal errors of a generative model.
public enum PointSet: String, Sendable, Codable, CaseIterable {
  /// Two interleaving half circles, with noise of 0.2 on a radius of 1; scaled by 3.
  case moons
  /// Eight normal distributions of variance 0.1 on a circle of radius 5.
  case eightGaussians = "eight-gaussians"
  /// Two arms that wind around each other.
  case spirals
  /// Every other square of a board of 4 × 4, side 2 each.
  case checkerboard
  /// Three circles around each other.
  case rings
  /// The 142 points of the Datasaurus, drawn with noise so that there is a density; scaled to standard deviation 2.
  case datasaurus

  /// Points from the distribution: [count, 2].
  public func sample(_ count: Int, random: inout RandomSource) -> Tensor {
    var coordinates: [Float] = []
    coordinates.reserveCapacity(2 * count)
    let noise = random.normal([count, 2]).array(of: Double.self)
    for i in 0..<count {
      let (x, y) = point(noise: (noise[2 * i], noise[2 * i + 1]), random: &random)
      coordinates += [Float(x), Float(y)]
    }
    return Tensor(coordinates, [count, 2])
  }

  /// One point. noise: two standard normal numbers.
  private func point(noise: (Double, Double), random: inout RandomSource) -> (Double, Double) {
    switch self {
    case .moons:
      let angle = random.uniform() * .pi
      let upper = random.uniform() < 0.5
      let (x, y) = upper ? (cos(angle), sin(angle)) : (1 - cos(angle), 0.5 - sin(angle))
      return (3 * (x + 0.2 * noise.0) - 1, 3 * (y + 0.2 * noise.1) - 1)
    case .eightGaussians:
      let angle = 2 * Double.pi * (random.uniform() * 8).rounded(.down) / 8
      let deviation = 0.1.squareRoot()
      return (5 * cos(angle) + deviation * noise.0, 5 * sin(angle) + deviation * noise.1)
    case .spirals:
      let turn = random.uniform().squareRoot()  // evenly along the arm, whose length grows with its square
      let angle = 3 * .pi * turn + (random.uniform() < 0.5 ? 0 : .pi)
      return (4 * turn * cos(angle) + 0.1 * noise.0, 4 * turn * sin(angle) + 0.1 * noise.1)
    case .checkerboard:
      let (x, y) = (random.uniform() * 8 - 4, random.uniform() * 2)
      let column = Int((x + 4) / 2)
      let row = Int(random.uniform() * 2) * 2 + column % 2
      return (x, y - 4 + 2 * Double(row))
    case .rings:
      let radius = 1.5 * (random.uniform() * 3 + 1).rounded(.down)
      let angle = 2 * .pi * random.uniform()
      return (radius * cos(angle) + 0.1 * noise.0, radius * sin(angle) + 0.1 * noise.1)
    case .datasaurus:
      let i = Int(random.uniform() * 142)
      let (x, y) = (Double(datasaurusCoordinates[2 * i]), Double(datasaurusCoordinates[2 * i + 1]))
      return ((x - 54.26) / 12 + 0.05 * noise.0, (y - 47.83) / 12 + 0.05 * noise.1)
    }
  }
}

import NablaRL
import NablaTensor
import Testing

/// What Gymnasium cannot tell: beginnings, the teaching environments, and what is random in them.
@Suite struct EnvironmentTests {
  static let starts: [(String, [ClosedRange<Double>])] = [
    ("CartPole-v1", Array(repeating: -0.05...0.05, count: 4)),
    ("SimpleCartPole", Array(repeating: -0.1...0.1, count: 4)),
    ("Acrobot-v1", Array(repeating: -0.1...0.1, count: 4)),
    ("MountainCar-v0", [-0.6...(-0.4), 0...0]),
    ("MountainCarContinuous-v0", [-0.6...(-0.4), 0...0]),
    ("Pendulum-v1", [-Double.pi...Double.pi, -1...1]),
    ("ContextualBandit", [-1...1, -1...1]),
  ]

  /// Where episodes begin, over many: within the bounds, and filling them.
  @Test(arguments: starts) func beginnings(name: String, bounds: [ClosedRange<Double>]) throws {
    let environments = try VectorEnvironment(name, count: 2000)
    try environments.reset(seed: 4)
    for (s, range) in bounds.enumerated() {
      let (low, high) = (range.lowerBound, range.upperBound)
      let values = (0..<2000).map { environments.batch[s, $0] }
      #expect(values.allSatisfy { $0 >= low - 1e-8 && $0 <= high + 1e-8 })
      let mean = values.reduce(0, +) / 2000
      // Five standard errors of a uniform mean.
      #expect(abs(mean - (low + high) / 2) <= 5 * (high - low) / (12.0 * 2000).squareRoot())
      #expect(values.max()! - values.min()! >= 0.99 * (high - low))
    }
  }

  @Test func observationsLieInTheirSpace() throws {
    for description in EnvironmentDescription.all {
      let environments = description.make(count: 16)
      let space = environments.observationSpace
      var random = RandomSource(seed: 8)
      try environments.reset(seed: 8)
      for _ in 0..<200 {
        try environments.stepAtRandom(&random)
        for (place, value) in environments.observations.enumerated() {
          let k = place % space.count
          #expect(value >= space.low[k] && value <= space.high[k], "\(description.name): \(space.names[k]) is \(value)")
        }
      }
    }
  }

  /// Moves go where they should with the frequencies they should; walls stop them.
  @Test func gridWorldSlips() throws {
    let environments = try VectorEnvironment("GridWorld", count: 20_000)
    try environments.reset(seed: 1)
    #expect((0..<20_000).allSatisfy { environments.batch[0, $0] == 0 })
    // Up from the corner below left: 0.8 up, 0.1 right, 0.1 left against the wall.
    try environments.step([Int32](repeating: 0, count: 20_000))
    let cells = (0..<20_000).map { environments.batch[0, $0] }
    for (cell, share) in [(4.0, 0.8), (1.0, 0.1), (0.0, 0.1)] {
      let count = Double(cells.count { $0 == cell })
      #expect(abs(count / 20_000 - share) < 0.015, "cell \(cell): \(count)")
    }
    #expect(GridWorld.neighbor(of: 4, direction: 1) == 4)  // the inner wall
    #expect(GridWorld.neighbor(of: 1, direction: 0) == 1)
    #expect(GridWorld.neighbor(of: 10, direction: 1) == GridWorld.goal)
    #expect(GridWorld.neighbor(of: 3, direction: 0) == GridWorld.pit)
    #expect(GridWorld.neighbor(of: 3, direction: 1) == 3 && GridWorld.neighbor(of: 0, direction: 2) == 0)
  }

  /// The best policy of the 4 × 3 world earns what the book says: 0.705 from the start.
  @Test func gridWorldIsTheBooks() throws {
    // Up along the left side, then right: the policy of the book's figure.
    let best: [Int: Int32] = [0: 0, 4: 0, 8: 1, 9: 1, 10: 1, 1: 3, 2: 3, 6: 0, 3: 3]
    let environments = try VectorEnvironment("GridWorld", count: 4000)
    try environments.reset(seed: 2)
    var returns = [Double?](repeating: nil, count: 4000)
    while returns.contains(where: { $0 == nil }) {
      try environments.step((0..<4000).map { best[Int(environments.batch[0, $0])]! })
      for episode in environments.finished where returns[episode.environment] == nil {
        returns[episode.environment] = episode.return
      }
    }
    let mean = returns.reduce(0) { $0 + $1! } / 4000
    #expect(abs(mean - 0.705) < 0.03, "\(mean)")
  }

  @Test func banditPaysTheCoordinate() throws {
    let environments = try VectorEnvironment("ContextualBandit", count: 20_000)
    for (arm, expected) in [(0, 0.0), (2, 0.0)] {
      try environments.reset(seed: 3)
      let points = Array(environments.observations)
      try environments.step([Int32](repeating: Int32(arm), count: 20_000))
      #expect(environments.terminated.allSatisfy { $0 } && environments.finished.count == 20_000)
      let noise = (0..<20_000).map { Double(environments.rewards[$0]) - Double(points[2 * $0]) * (arm == 0 ? 1 : -1) }
      #expect(noise.allSatisfy { abs($0) <= 0.5 + 1e-6 })
      #expect(abs(noise.reduce(0, +) / 20_000 - expected) < 0.01)
    }
    // The best arm earns 2/3.
    try environments.reset(seed: 5)
    let best = (0..<20_000).map { i -> Int32 in
      let (x, y) = (environments.observations[2 * i], environments.observations[2 * i + 1])
      return abs(x) > abs(y) ? (x > 0 ? 0 : 2) : (y > 0 ? 1 : 3)
    }
    try environments.step(best)
    #expect(abs(environments.finished.reduce(0) { $0 + $1.return } / 20_000 - 2 / 3) < 0.01)
  }
}

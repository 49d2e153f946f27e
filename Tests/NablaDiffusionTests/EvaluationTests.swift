import Foundation
import NablaDiffusion
import NablaTensor
import Testing

@Suite struct EvaluationTests {
  /// A shift by v is at sliced distance ‖v‖/√d, a mere rotation of equal points at 0.
  @Test func slicedWassersteinOfShifts() {
    var random = RandomSource(seed: 14)
    let points = random.normal([500, 2])
    let moved = slicedWassersteinDistance(points, points + Tensor([3, 4]), projections: 4000, random: &random)
    #expect(abs(moved - 5 / 2.squareRoot()) < 0.05)
    let order = Tensor(random.permutation(500).map(Int32.init))
    #expect(slicedWassersteinDistance(points, points.gather(order), random: &random) < 1e-6)
  }

  /// The distance of two fresh samples of 1,000 points. For 8 Gaussians a plain Python program found 0.39; much of it is
  /// the number of points that happen to fall to each of the eight.
  @Test func floorsOfFreshSamples() {
    var random = RandomSource(seed: 15)
    func floor(_ set: PointSet) -> Double {
      (0..<10).reduce(0.0) { sum, _ in
        sum
          + slicedWassersteinDistance(
            set.sample(1000, random: &random), set.sample(1000, random: &random), random: &random) / 10
      }
    }
    let (moons, gaussians) = (floor(.moons), floor(.eightGaussians))
    #expect(abs(moons - 0.14) < 0.05, "moons: \(moons)")
    #expect(abs(gaussians - 0.39) < 0.08, "8 Gaussians: \(gaussians)")
  }

  /// Of normal distributions with commuting covariances: ‖Δμ‖² + Σ(s₁ - s₂)².
  @Test func frechetOfGaussians() {
    var random = RandomSource(seed: 16)
    let a = random.normal([20_000, 3]) * Tensor([1, 2, 0.5])
    let b = random.normal([20_000, 3]) * Tensor([2, 2, 1]) + Tensor([1, 0, -1])
    #expect(abs(frechetDistance(a, b) - (2 + 1 + 0 + 0.25)) < 0.15)
    #expect(frechetDistance(a, a) < 1e-6)
    // Features of full correlation have a covariance without inverse.
    let line = Tensor.concatenate([a.slice(0..<1, axis: 1), a.slice(0..<1, axis: 1)], axis: 1)
    #expect(frechetDistance(line, line) < 1e-6)
  }

  /// Rotated by a matrix Q the distance is the same, whatever the axes of the covariances.
  @Test func frechetDoesNotDependOnAxes() {
    var random = RandomSource(seed: 17)
    let a = random.normal([3000, 4]).matmul(random.normal([4, 4]))
    let b = random.normal([3000, 4]).matmul(random.normal([4, 4])) + Tensor(Float(0.5))
    let q = random.orthogonal([4, 4])
    let (plain, rotated) = (frechetDistance(a, b), frechetDistance(a.matmul(q), b.matmul(q)))
    #expect(abs(plain - rotated) < 1e-3 * plain)
  }

  @Test func nearestExamplesAreFound() {
    var random = RandomSource(seed: 18)
    let examples = random.normal([50, 2, 3])
    let samples = examples.gather(Tensor([7, 31, 0] as [Int32])) + 0.001
    let found = nearestExamples(samples, among: examples)
    #expect(found.map(\.index) == [7, 31, 0])
    for (_, distance) in found { #expect(abs(distance - 0.001 * 6.0.squareRoot()) < 1e-5) }
  }
}

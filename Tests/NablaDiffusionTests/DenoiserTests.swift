import NablaDiffusion
import NablaTensor
import Testing

@Suite struct DenoiserTests {
  /// 1 is off, 0 is without condition, and only what is needed is evaluated.
  @Test func guidanceScale() {
    final class Calls { var (conditional, unconditional) = (0, 0) }
    let calls = Calls()
    let conditional = Denoiser(predicting: .noise) { x, _ in
      calls.conditional += 1
      return x * 3
    }
    let unconditional = Denoiser(predicting: .noise) { x, _ in
      calls.unconditional += 1
      return x
    }
    let step = NoiseStep(time: 1, level: NoiseLevel(alphaBar: 0.5))
    func noise(_ scale: Double) -> Float {
      conditional.guided(by: scale, against: unconditional)([[1]], at: step).noise.item()
    }
    #expect(noise(1) == 3)
    #expect((calls.conditional, calls.unconditional) == (1, 0))
    #expect(noise(0) == 1)
    #expect((calls.conditional, calls.unconditional) == (1, 1))
    #expect(noise(2) == 5)
    #expect(noise(5) == 11)
    #expect((calls.conditional, calls.unconditional) == (3, 3))
  }

  /// Of two Gaussians the guided score is the weighted one: p(x|c)ʷ p(x)¹⁻ʷ is again Gaussian, with known mean.
  @Test func guidanceIsOfScores() {
    let (c, u) = (GaussianData(mean: 1, deviation: 1), GaussianData(mean: 0, deviation: 1))
    let step = NoiseStep(time: 0, level: NoiseLevel(alpha: 1, sigma: 0.5))
    let guided = c.denoiser(predicting: .noise).guided(by: 3, against: u.denoiser(predicting: .noise))
    let x: Tensor = [[0.3]]
    // score = -(x - 3·1)/(1 + σ²)
    #expect(abs(guided.score(x, at: step).item() + (0.3 - 3) / 1.25) < 1e-5)
  }

  @Test func dataAreNotClippedUnlessAsked() {
    let step = NoiseStep(time: 0, level: NoiseLevel(alphaBar: 0.5))
    let wild = Denoiser(predicting: .data) { x, _ in x * 0 + Tensor([7, -0.5, 0.25, -9], [2, 2]) }
    let x = Tensor.zeros([2, 2])
    #expect(wild(x, at: step).data.array() == [7, -0.5, 0.25, -9])
    let clipped = wild.thresholded(.clip(limit: 1))(x, at: step)
    #expect(clipped.data.array() == [1, -0.5, 0.25, -1])
    // The noise is that of the kept data: x = α·x₀ + σ·ε still holds.
    let again = clipped.data * Tensor(Float(step.level.alpha)) + clipped.noise * Tensor(Float(step.level.sigma))
    #expect(distance(again, x) < 1e-6)
  }

  /// Dynamic thresholding, by hand: the quantile ½ of |x| = (1, 2, 4) is 2, at most 3 and at least 1.
  @Test func dynamicThresholding() {
    let step = NoiseStep(time: 0, level: NoiseLevel(alphaBar: 0.5))
    let rows: [[Float]] = [[1, -2, 4], [0.1, 0.2, -0.3], [10, -20, 40]]
    let wild = Denoiser(predicting: .data) { x, _ in Tensor(rows.flatMap { $0 }, [3, 3]) + x * 0 }
    let kept = wild.thresholded(.dynamic(quantile: 0.5, ceiling: 3))(.zeros([3, 3]), at: step).data.array()
    let expected: [Float] = [0.5, -1, 1, 0.1, 0.2, -0.3, 1, -1, 1]
    for (a, b) in zip(kept, expected) { #expect(abs(a - b) < 1e-6) }
  }
}

import NablaDiffusion
import NablaTensor
import Testing

@Suite struct PredictionTests {
  static let levels = [
    NoiseLevel(alphaBar: 0.9), NoiseLevel(alphaBar: 0.05), NoiseLevel(alpha: 1, sigma: 3),
    NoiseLevel(alpha: 0.3, sigma: 0.7), NoiseLevel(alpha: 0.6, sigma: 0.9),
  ]

  /// Every prediction, right, gives back the data and noise that made the sample.
  @Test(arguments: Prediction.allCases, levels) func conversionsAreExact(_ prediction: Prediction, _ level: NoiseLevel)
  {
    var random = RandomSource(seed: 5)
    let (data, noise) = (random.normal([4, 3]), random.normal([4, 3]))
    let levels = Array(repeating: level, count: 4)
    let x = noised(data, noise: noise, levels: levels)
    let target = prediction.target(data: data, noise: noise, levels: levels)
    let estimate = prediction.estimate(target, x: x, level: level)
    #expect(distance(estimate.data, data) < 1e-5)
    #expect(distance(estimate.noise, noise) < 1e-5)
  }

  /// What each is, written out.
  @Test func targetsHaveTheirDefinitions() {
    let (data, noise): (Tensor, Tensor) = ([[2.0]], [[-1.0]])
    let level = [NoiseLevel(alpha: 0.6, sigma: 0.8)]
    func target(_ prediction: Prediction) -> Float { prediction.target(data: data, noise: noise, levels: level).item() }
    #expect(target(.noise) == -1)
    #expect(target(.data) == 2)
    #expect(abs(target(.v) - (0.6 * -1 - 0.8 * 2)) < 1e-6)
    #expect(target(.velocity) == 3)
    #expect(abs(target(.score) - 1 / 0.8) < 1e-6)
  }

  /// An error δ of a prediction is an error of the data whose square is δ² times the stated factor.
  @Test(arguments: Prediction.allCases, levels) func errorsScaleAsStated(_ prediction: Prediction, _ level: NoiseLevel)
  {
    let (data, noise): (Tensor, Tensor) = ([[0.4]], [[1.3]])
    let x = noised(data, noise: noise, levels: [level])
    let target = prediction.target(data: data, noise: noise, levels: [level])
    let moved = prediction.estimate(target + 0.5, x: x, level: level).data
    let error = Double((moved - data).item())
    #expect(abs(error * error / (0.25 * prediction.squaredDataScale(at: level)) - 1) < 1e-3)
  }

  @Test func minSNRWeights() {
    let gamma = 5.0
    for alphaBar in [0.99, 0.7, 0.02] {
      let (level, weighting) = (NoiseLevel(alphaBar: alphaBar), LossWeighting.minSNR(gamma: gamma))
      let snr = alphaBar / (1 - alphaBar)
      func weight(_ prediction: Prediction) -> Double { weighting.weight(at: level, predicting: prediction) }
      #expect(abs(weight(.data) - min(snr, gamma)) < 1e-9)
      #expect(abs(weight(.noise) - min(snr, gamma) / snr) < 1e-9)
      #expect(abs(weight(.v) - min(snr, gamma) / (snr + 1)) < 1e-9)
    }
    // With zero terminal SNR the weight of v is a number, 0.
    #expect(LossWeighting.minSNR().weight(at: NoiseLevel(alphaBar: 0), predicting: .v) == 0)
    #expect(LossWeighting.simple.weight(at: NoiseLevel(alphaBar: 0.5), predicting: .v) == 1)
  }

  @Test func noiseWithZeroTerminalSNRIsRefused() throws {
    let process = try DiscreteProcess(.scaledLinear, zeroTerminalSNR: true)
    #expect { try DDPMObjective(process, predicting: .noise) } throws: { "\($0)".contains("predict v") }
    #expect(throws: DiffusionError.self) { try DDPMObjective(process, predicting: .score) }
    _ = try DDPMObjective(process, predicting: .v)
    _ = try DDPMObjective(process, predicting: .data)
    #expect(throws: DiffusionError.self) { try process.steps(10, spacing: .karras) }
  }
}

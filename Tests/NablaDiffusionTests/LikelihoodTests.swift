import Foundation
import NablaDiffusion
import NablaTensor
import Testing

@Suite struct LikelihoodTests {
  private func logDensity(_ x: [Double], mean: Double, deviation: Double) -> Double {
    x.reduce(0) {
      $0 - ($1 - mean) * ($1 - mean) / (2 * deviation * deviation) - log(deviation * (2 * .pi).squareRoot())
    }
  }

  @Test(arguments: [Divergence.exact, .hutchinson]) func gaussiansAreExact(_ divergence: Divergence) {
    let (mean, deviation) = (0.4, 0.6)
    let data = GaussianData(mean: mean, deviation: deviation)
    var random = RandomSource(seed: 4)
    let x = random.normal([32, 3], mean: Float(mean), standardDeviation: Float(deviation))
    let flow = ProbabilityFlow(LinearFlow(), solver: .rungeKutta4)
    let result = flow.logLikelihood(
      x, data.denoiser(predicting: .velocity), steps: 40, divergence: divergence, random: &random)
    for (row, ours) in result.logLikelihood.enumerated() {
      // A linear flow of equal axes: Hutchinson's estimate is exact as well.
      let truth = logDensity(x[row].array(of: Double.self), mean: mean, deviation: deviation)
      #expect(abs(ours - truth) < 1e-4)
    }
    #expect(distance(result.noise, (x - Tensor(Float(mean))) / Tensor(Float(deviation))) < 1e-4)
  }

  /// A diffusion ends near, not at, its prior: with β up to 40 nothing is left.
  @Test func diffusionsToo() {
    let process = VariancePreserving(betaMin: 0.1, betaMax: 40, cleanTime: 1e-5)
    let data = GaussianData(mean: 0.2, deviation: 0.8)
    var random = RandomSource(seed: 6)
    let x = random.normal([16, 2], mean: 0.2, standardDeviation: 0.8)
    let flow = ProbabilityFlow(process, solver: .adaptive(relative: 1e-6, absolute: 1e-6))
    let result = flow.logLikelihood(x, data.denoiser(), random: &random)
    for (row, ours) in result.logLikelihood.enumerated() {
      #expect(abs(ours - logDensity(x[row].array(of: Double.self), mean: 0.2, deviation: 0.8)) < 2e-4)
    }
  }

  /// EDM's time is σ: even steps would pass over narrow data in the first of them.
  @Test func narrowDataOfEDM() {
    let process = EDM(sigmaMax: 80)
    let data = GaussianData(deviation: 0.1)
    var random = RandomSource(seed: 6)
    let x = random.normal([16, 1], standardDeviation: 0.1)
    let flow = ProbabilityFlow(process, solver: .rungeKutta4)
    let result = flow.logLikelihood(x, data.denoiser(), steps: 25, spacing: .karras(), random: &random)
    for (row, ours) in result.logLikelihood.enumerated() {
      #expect(abs(ours - logDensity(x[row].array(of: Double.self), mean: 0, deviation: 0.1)) < 0.01)
    }
  }

  /// Where the axes differ, the trace is estimated: right on average, not in each row.
  @Test func hutchinsonIsRightOnAverage() {
    // Velocity of a flow of correlated data at small t is about x·M; here M itself.
    let matrix: Tensor = [[0.1, 0.5], [0.5, -0.2]]
    let denoiser = Denoiser(predicting: .velocity) { x, _ in x.matmul(matrix) }
    var random = RandomSource(seed: 8)
    let x = Tensor.zeros([4000, 2])
    let flow = ProbabilityFlow(LinearFlow(), solver: .euler)
    let exact = flow.logLikelihood(x, denoiser, random: &random).logLikelihood
    let estimated = flow.logLikelihood(x, denoiser, divergence: .hutchinson, random: &random).logLikelihood
    // At x = 0 the flow stays, so ln p = ln N(0) + ∫ tr M dt backwards = -ln 2π + 0.1 - 0.2 ... with time from 1 to 0.
    #expect(abs(exact[0] + log(2 * .pi) - 0.1) < 1e-5)
    let average = estimated.reduce(0, +) / 4000
    #expect(abs(average - exact[0]) < 0.06)
    #expect(Set(estimated.map { ($0 * 100).rounded() }).count == 2)  // e₁e₂ = ±1
  }

  @Test func bitsOfAUniformImage() {
    // Uniform over the 256 values of each of d numbers: 8 bits. Density on -1 … 1: (1/2)ᵈ, of width 255/127.5 = 2.
    let d = 10
    #expect(abs(bitsPerDimension(logLikelihood: -Double(d) * log(256 / 127.5), dimensions: d) - 8) < 1e-9)
  }
}

import Foundation
import NablaDiffusion
import NablaTensor
import Testing

/// Samplers on Gaussian data, whose exact denoiser is known: they converge to the truth at their orders.
@Suite struct SamplerTests {
  static let data = GaussianData(deviation: 0.7)

  /// log₂ of how much an error falls when the steps are doubled, over a least-squares line through all of them.
  static func order(_ counts: [Int], _ error: (Int) -> Double) -> Double {
    let points = counts.map { (log(Double($0)), log(error($0))) }
    let (mx, my) = (
      points.map(\.0).reduce(0, +) / Double(counts.count), points.map(\.1).reduce(0, +) / Double(counts.count)
    )
    return -points.reduce(0) { $0 + ($1.0 - mx) * ($1.1 - my) } / points.reduce(0) { $0 + ($1.0 - mx) * ($1.0 - mx) }
  }

  /// Deterministic samplers multiply x by a number, which is known: the ratio of the standard deviations.
  private func error(
    _ sampler: some Sampler, _ process: some GaussianProcess, _ steps: [NoiseStep], _ data: GaussianData = data
  )
    -> Double
  {
    var random = RandomSource(seed: 0)
    // Flows ask their network at the very end, where the data are known but the noise is not.
    let denoiser = data.denoiser(predicting: process is LinearFlow ? .velocity : .data)
    let ratio = Double(sampler.sample([[1]], denoiser, along: steps, random: &random).item())
    let truth = data.deviation(at: steps.last!.level) / data.deviation(at: steps[0].level)
    return abs(ratio / truth - 1)
  }

  enum Method: String, CaseIterable {
    case ddim, euler, heun, dpmSolver, flowEuler, flowHeun, rungeKutta4, probabilityFlowHeun

    var order: Double {
      switch self {
      case .ddim, .euler, .flowEuler: 1
      case .heun, .dpmSolver, .flowHeun, .probabilityFlowHeun: 2
      case .rungeKutta4: 4
      }
    }
  }

  @Test(arguments: Method.allCases) func deterministicSamplersHaveTheirOrders(_ method: Method) {
    let edm = EDM(sigmaMin: 0.05, sigmaMax: 10)
    let counts = [16, 32, 64]
    let measured = Self.order(counts) { n in
      let karras = edm.steps(n, spacing: .karras())
      return switch method {
      case .ddim: error(DDIM(), edm, karras)
      case .euler: error(Euler(), edm, karras)
      case .heun: error(Heun(), edm, karras)
      case .dpmSolver: error(DPMSolverPlusPlus(), edm, karras)
      case .flowEuler: error(ProbabilityFlow(LinearFlow(), solver: .euler), LinearFlow(), LinearFlow().steps(n))
      case .flowHeun: error(ProbabilityFlow(LinearFlow(), solver: .heun), LinearFlow(), LinearFlow().steps(n))
      case .rungeKutta4:
        error(
          ProbabilityFlow(VariancePreserving(betaMin: 1, betaMax: 4, cleanTime: 0.01), solver: .rungeKutta4),
          VariancePreserving(betaMin: 1, betaMax: 4, cleanTime: 0.01),
          VariancePreserving(betaMin: 1, betaMax: 4, cleanTime: 0.01).steps(n), GaussianData(deviation: 0.2))
      case .probabilityFlowHeun:
        error(
          ProbabilityFlow(VariancePreserving(cleanTime: 0.1), solver: .heun), VariancePreserving(cleanTime: 0.1),
          VariancePreserving(cleanTime: 0.1).steps(n))
      }
    }
    #expect(abs(measured - method.order) < 0.35, "\(method): order \(measured)")
  }

  @Test func adaptiveFlowIsAsExactAsAsked() {
    for process in [VariancePreserving(cleanTime: 0.01), LinearFlow(), EDM()] as [any GaussianProcess] {
      func check(_ process: some GaussianProcess) {
        let flow = ProbabilityFlow(process, solver: .adaptive(relative: 1e-6, absolute: 1e-6))
        #expect(error(flow, process, process.steps(1)) < 2e-5, "\(process)")
      }
      check(process)
    }
  }

  /// Forwards and backwards along the flow is where one began.
  @Test func flowsAreReversible() {
    var random = RandomSource(seed: 2)
    let x = random.normal([16, 3], standardDeviation: 0.7)
    let flow = ProbabilityFlow(LinearFlow(), solver: .rungeKutta4)
    let times = LinearFlow().steps(20).map(\.time)
    let denoiser = GaussianData(mean: 0.5, deviation: 0.7).denoiser(predicting: .velocity)
    let noise = flow.follow(x, denoiser, through: times.reversed())
    #expect(distance(flow.follow(noise, denoiser, through: times), x) < 1e-5)
    // Noise of data N(0.5, 0.7²) has mean 0 and deviation 1, so time did run from data to noise.
    #expect(distance(noise, (x - 0.5) / 0.7) < 1e-4)
  }

  /// The variance of many samples, by steps. For the same data: 0.49.
  private func sampledVariance(_ sampler: some Sampler, _ steps: [NoiseStep], rows: Int = 300_000) -> Double {
    var random = RandomSource(seed: 7)
    let start = random.normal([rows, 1], standardDeviation: Float(Self.data.deviation(at: steps[0].level)))
    return variance(sampler.sample(start, Self.data.denoiser(), along: steps, random: &random))
  }

  @Test func stochasticSamplersHaveOrderOne() {
    let process = VariancePreserving(betaMin: 1, betaMax: 4, cleanTime: 0.1)
    let truth = pow(Self.data.deviation(at: process.level(at: process.cleanTime)), 2)
    let ancestral = Self.order([16, 32, 64]) { n in
      abs(sampledVariance(AncestralDDPM(), process.steps(n)) / truth - 1)
    }
    #expect(abs(ancestral - 1) < 0.25, "ancestral: order \(ancestral)")
    let reverse = Self.order([16, 32, 64]) { n in
      abs(sampledVariance(ReverseSDE(process), process.steps(n)) / truth - 1)
    }
    #expect(abs(reverse - 1) < 0.25, "reverse SDE: order \(reverse)")
  }

  @Test func stochasticSamplersReachTheVariance() {
    let process = VariancePreserving()
    let truth = pow(Self.data.deviation(at: process.level(at: process.cleanTime)), 2)
    let corrector = sampledVariance(PredictorCorrector(process), process.steps(100), rows: 50_000)
    #expect(abs(corrector / truth - 1) < 0.05, "predictor-corrector: \(corrector) for \(truth)")
    let exploding = VarianceExploding(sigmaMin: 0.01, sigmaMax: 20)
    let reverse = sampledVariance(ReverseSDE(exploding), exploding.steps(400), rows: 30_000)
    #expect(abs(reverse / 0.49 - 1) < 0.05, "variance exploding: \(reverse)")
    // Flows have a reverse SDE too; time runs up.
    let flow = LinearFlow()
    let times = (0...200).map { flow.step(at: 0.02 + 0.98 * Double($0) / 200) }
    let along = sampledVariance(ReverseSDE(flow), times, rows: 30_000)
    #expect(abs(along / 0.49 - 1) < 0.05, "flow: \(along)")
    // Churn adds noise and takes it away.
    let edm = EDM(sigmaMax: 20)
    let churned = sampledVariance(
      Heun(churn: 20), edm.steps(60, spacing: .karras(), final: .clean), rows: 30_000)
    #expect(abs(churned / 0.49 - 1) < 0.05, "churn: \(churned)")
  }

  /// DDIM with η = 1 is ancestral sampling with the small variance.
  @Test func ddimWithAllItsNoiseIsAncestral() throws {
    let steps = try DiscreteProcess(.linear).steps(10, spacing: .linspace)
    var random = RandomSource(seed: 12)
    let (x, noise) = (random.normal([8, 2]), random.normal([8, 2]))
    for i in 0..<9 {
      let estimate = Self.data.denoiser()(x, at: steps[i])
      let (t, s) = (steps[i].level, steps[i + 1].level)
      let ancestral = AncestralDDPM().step(x, estimate, from: t, to: s, noise: noise)
      #expect(distance(DDIM(eta: 1).step(estimate, from: t, to: s, noise: noise), ancestral) < 1e-5, "step \(i)")
    }
  }

  /// Langevin steps of size h on N(0, V) have the stationary variance V/(1 - h/2V): right, but for what the step adds.
  @Test(arguments: [0.1, 4.0]) func langevinHasItsStationaryVariance(_ stepSize: Double) {
    let process = VarianceExploding(sigmaMin: 0.5, sigmaMax: 4)
    let level = process.level(at: process.time(noiseRatio: 1))
    let steps = [NoiseStep(time: 0.5, level: level)]
    var random = RandomSource(seed: 9)
    let data = GaussianData(deviation: 2)
    let start = random.normal([40_000, 1])
    let samples = AnnealedLangevin(stepsPerLevel: stepSize < 1 ? 500 : 100, stepSize: stepSize)
      .sample(start, data.denoiser(predicting: .score), along: steps, random: &random)
    let (v, h) = (5.0, stepSize / 2)
    #expect(abs(variance(samples) / (v / (1 - h / (2 * v))) - 1) < 0.03)
  }

  @Test func annealedLangevinEndsAtTheData() {
    let process = VarianceExploding(sigmaMin: 0.05, sigmaMax: 4)
    var random = RandomSource(seed: 10)
    let steps = process.steps(12, spacing: .logarithmic, final: .clean)
    let samples = AnnealedLangevin(stepsPerLevel: 60, stepSize: 2e-3).sample(
      initialNoise([20_000, 1], at: steps[0], random: &random), Self.data.denoiser(predicting: .score), along: steps,
      random: &random)
    #expect(abs(variance(samples) / 0.49 - 1) < 0.1, "\(variance(samples))")
  }

  @Test func stepsStayInTheTable() throws {
    let process = try DiscreteProcess(.scaledLinear)
    for spacing in [StepSpacing.leading, .trailing, .linspace, .karras] {
      for n in [1, 2, 999, 1000] {
        let steps = try process.steps(n, spacing: spacing)
        #expect(steps.count == n + 1 && steps.dropLast().allSatisfy { 0...999 ~= $0.time }, "\(spacing), \(n)")
      }
      #expect { try process.steps(1001, spacing: spacing) } throws: { "\($0)".contains("1 to 1000") }
      #expect(throws: DiffusionError.self) { try process.steps(0, spacing: spacing) }
    }
    // Stable Diffusion's offset of 1, with as many steps as the table has.
    #expect(try process.steps(500, spacing: .leading, offset: 1).first!.time == 999)
    #expect(throws: DiffusionError.self) { try process.steps(at: [10, 10, 0]) }
    #expect(throws: DiffusionError.self) { try process.steps(at: [1000, 0]) }
  }

  @Test func stepsOfContinuousTimeKeepTheEnds() {
    for process in [VariancePreserving(), VarianceExploding(), EDM()] as [any GaussianProcess] {
      for spacing in [TimeSpacing.uniform, .karras(), .logarithmic] {
        let steps = process.steps(8, spacing: spacing)
        #expect(steps.count == 9 && steps[0].time == process.noisyTime && steps[8].time == process.cleanTime)
        let clean = process.steps(8, spacing: spacing, final: .clean)
        #expect(clean.count == 9 && clean[7].time == process.cleanTime && clean[8].level == .clean)
        #expect(zip(clean, clean.dropFirst()).allSatisfy { $0.level.noiseRatio > $1.level.noiseRatio })
      }
    }
    // Karras et al.'s own numbers: table of n = 18, σ from 80 to 0.002, ρ = 7.
    let sigmas = karrasSigmas(18, from: 80, to: 0.002)
    #expect(abs(sigmas[0] - 80) < 1e-9 && abs(sigmas[17] - 0.002) < 1e-12)
    let root = pow(80, 1 / 7.0) + 1 / 17.0 * (pow(0.002, 1 / 7.0) - pow(80, 1 / 7.0))
    #expect(abs(sigmas[1] - pow(root, 7)) < 1e-9)
  }

  /// Where only noise is left a correction moves as far as elsewhere: the step's size is that of α = 1 - β, not of ᾱ.
  @Test func correctionsWorkAtEveryLevel() {
    let process = VariancePreserving()
    let steps = [0.9, 0.8, 0.79].map { process.step(at: $0) }
    var random = RandomSource(seed: 5)
    let sampler = PredictorCorrector(process, corrections: 200)
    var middle = Tensor.zeros([1, 1])
    _ = sampler.sample(.zeros([4000, 1]), Self.data.denoiser(), along: steps, random: &random) { step, x, _ in
      if step == 0 { middle = x }
    }
    let truth = Self.data.deviation(at: steps[1].level)
    #expect(abs(Double(middle.square().mean().item()).squareRoot() / truth - 1) < 0.06)
  }
}

import Foundation
import NablaDiffusion
import NablaNN
import NablaTensor
import Testing

/// Each objective on points of the plane: a plain training loop must bring samples close to the data.
///
/// The committed runs are short and their bounds loose. `NABLA_DIFFUSION_STEPS=6000` trains to the point where samples
/// are within 1.5 times the distance of two fresh sets of data, and says how far and how long.
@Suite(.serialized) struct LearningTests {
  enum Kind: String, CaseIterable { case ddpm, score, edm, flow }

  private static let longSteps = ProcessInfo.processInfo.environment["NABLA_DIFFUSION_STEPS"].flatMap { Int($0) }

  /// An objective, and samples of its denoiser.
  private func setup(_ kind: Kind) throws -> (
    objective: any DenoisingObjective, timeScale: Double, sample: (Denoiser, Int, inout RandomSource) throws -> Tensor
  ) {
    func run(
      _ sampler: some Sampler, _ steps: [NoiseStep], _ denoiser: Denoiser, _ n: Int, _ random: inout RandomSource
    ) -> Tensor {
      sampler.sample(initialNoise([n, 2], at: steps[0], random: &random), denoiser, along: steps, random: &random)
    }
    switch kind {
    case .ddpm:
      let process = try DiscreteProcess(.cosine, count: 200)
      return (try DDPMObjective(process), 1 / 200, { run(AncestralDDPM(), try process.steps(200), $0, $1, &$2) })
    case .score:
      let process = VariancePreserving()
      return (
        ScoreObjective(process), 1,
        { run(Heun(), process.steps(40, spacing: .karras(), final: .clean), $0, $1, &$2) }
      )
    case .edm:
      let process = EDM(sigmaMax: 40, dataDeviation: 1, logSigmaMean: -0.6, logSigmaDeviation: 1.4)
      return (
        EDMObjective(process), 1,
        { run(Heun(), process.steps(30, spacing: .karras(), final: .clean), $0, $1, &$2) }
      )
    case .flow:
      return (
        FlowObjective(), 1, { run(ProbabilityFlow(LinearFlow(), solver: .heun), LinearFlow().steps(40), $0, $1, &$2) }
      )
    }
  }

  private func train(
    _ objective: any DenoisingObjective, _ model: DenoisingMLP, on data: (inout RandomSource) -> Tensor, steps: Int,
    rate: Float = 4e-3, random: inout RandomSource
  ) {
    let optimizer = AdamW(learningRate: cosine(peak: rate, warmup: 20, total: steps), weightDecay: 0)
    for _ in 0..<steps {
      let batch = data(&random)
      let (_, gradients) = valueAndGradient(of: model) { model in
        objective.loss({ model($0, $1) }, on: batch, random: &random)
      }
      optimizer.update(model, with: gradients.clipped(toNorm: 1))
    }
  }

  @Test(arguments: Kind.allCases) func pointsOfThePlane(_ kind: Kind) throws {
    let (objective, timeScale, sample) = try setup(kind)
    let steps = Self.longSteps ?? 300
    for set in Self.longSteps == nil ? [PointSet.eightGaussians] : [.moons, .eightGaussians] {
      var random = RandomSource(seed: 31)
      let scale = DataScale(of: set.sample(10_000, random: &random))
      let model = DenoisingMLP(dimensions: 2, width: 96, depth: 3, timeScale: timeScale, random: &random)
      let start = ContinuousClock.now
      train(
        objective, model, on: { scale.normalize(set.sample(512, random: &$0)) }, steps: steps, random: &random)
      let time = ContinuousClock.now - start
      let samples = scale.restore(try sample(objective.denoiser { model($0, $1) }, 1000, &random))
      var (distance, floor) = (0.0, 0.0)
      for _ in 0..<8 {
        let fresh = set.sample(1000, random: &random)
        distance += slicedWassersteinDistance(samples, fresh, random: &random) / 8
        floor += slicedWassersteinDistance(set.sample(1000, random: &random), fresh, random: &random) / 8
      }
      if Self.longSteps != nil { print("\(kind) \(set): \(distance) with a floor of \(floor), trained in \(time)") }
      // A Gaussian of the right mean and variance is at 1.05, untrained networks farther.
      #expect(distance < (Self.longSteps == nil ? 0.8 : 1.5 * floor), "\(kind), \(set): \(distance), floor \(floor)")
    }
  }

  /// Regression on the score, the noise or the velocity finds one field: the score of a mixture of two normal
  /// distributions, which has a closed form at every noise level.
  @Test(arguments: [Kind.ddpm, .score, .flow]) func oneFieldWhateverIsPredicted(_ kind: Kind) throws {
    let process = try DiscreteProcess(.linear, count: 200)
    let objective: any DenoisingObjective =
      switch kind {
      case .ddpm: try DDPMObjective(process)
      case .score: ScoreObjective()
      default: FlowObjective()
      }
    // ½ N(-1, 0.3²) + ½ N(1, 0.3²).
    func mixture(_ random: inout RandomSource) -> Tensor {
      let signs = Tensor.select(Tensor.less(random.uniform([512, 1]), 0.5), -1, 1)
      return signs + random.normal([512, 1], standardDeviation: 0.3)
    }
    var random = RandomSource(seed: 32)
    let model = DenoisingMLP(
      dimensions: 1, width: 64, depth: 2, timeScale: kind == .ddpm ? 1 / 200 : 1, random: &random)
    train(objective, model, on: mixture, steps: 400, rate: 5e-3, random: &random)
    let denoiser = objective.denoiser { model($0, $1) }
    // The same noise levels σ/α for all.
    for ratio in [0.5, 1.0, 2.0] {
      let step: NoiseStep
      switch kind {
      case .ddpm:
        let t = (0..<200).min {
          abs(process.level(at: $0).noiseRatio - ratio) < abs(process.level(at: $1).noiseRatio - ratio)
        }!
        step = NoiseStep(time: Double(t), level: process.level(at: t))
      case .score: step = VariancePreserving().step(at: VariancePreserving().time(noiseRatio: ratio))
      default: step = LinearFlow().step(at: LinearFlow().time(noiseRatio: ratio))
      }
      let (a, s) = (step.level.alpha, step.level.sigma)
      let variance = a * a * 0.09 + s * s
      let x = (0..<41).map { a * (-2 + 0.1 * Double($0)) }
      let learned = denoiser.score(Tensor(x.map(Float.init), [41, 1]), at: step).array(of: Double.self)
      var (error, weight) = (0.0, 0.0)
      for (x, learned) in zip(x, learned) {
        let (left, right) = (exp(-(x + a) * (x + a) / (2 * variance)), exp(-(x - a) * (x - a) / (2 * variance)))
        let truth = (-left * (x + a) - right * (x - a)) / (variance * (left + right))
        error += (left + right) * pow(s * (learned - truth), 2)
        weight += left + right
      }
      #expect((error / weight).squareRoot() < 0.15, "\(kind) at σ/α = \(ratio): \((error / weight).squareRoot())")
    }
  }
}

import NablaDiffusion
import NablaTensor

extension DiffusionStep {
  /// Four ways from the same noise to data.
  enum Way: String, CaseIterable, Encodable {
    case ancestral, ddim, langevin, flow

    /// Evaluations of the network at each noise level.
    var evaluations: Int { self == .langevin ? langevinSteps : 1 }
  }

  static let langevinSteps = 5
  /// Of a Langevin step, in units of the variance of the noise at its level.
  static let langevinSize = 0.25

  /// What samplers ask: the trained networks, or Bayes' theorem on the training points.
  enum Score: String, CaseIterable { case network, exact }

  /// Samples on their way, and how near they come.
  struct Samplers: Encodable {
    struct Sampler: Encodable {
      var way: Way
      var evaluations: Int
      /// Of particles at each frame: [frames, 200, 2].
      var paths: StudioTensor
      /// Sliced Wasserstein distance of 1,024 samples to fresh data.
      var distance: Double
      /// The mean distance of a sample to the nearest training point.
      var nearest: Double
    }

    var samplers: [Sampler]
    /// The distance of two sets of fresh data: nothing can be nearer.
    var floor: Double
    /// The mean distance of fresh data to the nearest training point.
    var nearestOfFresh: Double
    /// [400, 2].
    var data: StudioTensor
    var steps: Int
  }

  static let samplers = Computation.answer("samplers") { query, _ in
    let steps = try query.integer("n", in: 1...100, default: 20)
    let score = try query.choice("score", default: Score.network)
    let model = try PlaneModel.asked(query)
    let ruler = Ruler(model.data)
    let frames = min(steps, 24)
    return Samplers(
      samplers: try Way.allCases.map { way in
        var path = [Tensor](), shown = 0
        let samples = try sampled(model, way, steps: steps, score: score) { step, x in
          // Frames at even distances, the first before any step.
          guard step * frames >= shown * steps else { return }
          path.append(x[0..<200])
          shown += 1
        }
        return .init(
          way: way, evaluations: way.evaluations * steps, paths: rounded(.stack(path)),
          distance: ruler.distance(samples),
          nearest: ruler.nearest(samples))
      }, floor: ruler.floor, nearestOfFresh: ruler.nearest(ruler.fresh[1]), data: rounded(model.data.points[0..<400]),
      steps: steps)
  }.recorded(["3", "8", "20", "50"].map { ["n": $0] })

  /// 1,024 samples. observe: is told the number of steps taken and the samples, in the units of the first three ways.
  static func sampled(
    _ model: PlaneModel, _ way: Way, steps count: Int, score: Score = .network,
    observe: (Int, Tensor) -> Void = { _, _ in }
  ) throws -> Tensor {
    var random = RandomSource(seed: model.key.data.seed ^ 0x5A3)
    let z = random.normal([PlaneData.count, 2])
    observe(0, z)
    let steps = try PlaneModel.process.steps(count)
    let exact = ExactDenoiser(model.data.points)
    let denoiser = score == .network ? model.denoiser() : exact.denoiser
    func sample(_ sampler: any Sampler) -> Tensor {
      sampler.sample(z * Tensor(Float(steps[0].level.sigma)), denoiser, along: steps, random: &random) { step, x, _ in
        observe(step + 1, x)
      }
    }
    switch way {
    case .ancestral: return sample(AncestralDDPM())
    case .ddim: return sample(DDIM())
    case .flow:
      let denoiser = score == .network ? model.flowDenoiser : exact.denoiser
      let flow = ProbabilityFlow(LinearFlow(), solver: .euler)
      return flow.sample(z, denoiser, along: flow.process.steps(count), random: &random) { step, x, _ in
        observe(step + 1, x)
      }
    case .langevin: return langevin(z, denoiser, along: steps, random: &random, observe: observe)
    }
  }

  /// Annealed Langevin dynamics is for noise that is added to data as they are: y = x/α, with σ/α for its deviation.
  private static func langevin(
    _ z: Tensor, _ denoiser: Denoiser, along steps: [NoiseStep], random: inout RandomSource,
    observe: (Int, Tensor) -> Void
  ) -> Tensor {
    let levels = Dictionary(steps.map { ($0.time, $0.level) }, uniquingKeysWith: { first, _ in first })
    let scaled = steps.map { NoiseStep(time: $0.time, level: NoiseLevel(alpha: 1, sigma: $0.level.noiseRatio)) }
    let inUnits = Denoiser(predicting: .noise) { y, step in
      let level = levels[step.time]!
      let x = y * Tensor(Float(level.alpha))
      return denoiser(x, at: NoiseStep(time: step.time, level: level)).noise
    }
    let smallest = scaled[scaled.count - 2].level.sigma
    let sampler = AnnealedLangevin(stepsPerLevel: langevinSteps, stepSize: 2 * langevinSize * smallest * smallest)
    let start = z * Tensor(Float(scaled[0].level.sigma))
    let samples = sampler.sample(start, inUnits, along: scaled, random: &random) { step, y, _ in
      if step < steps.count - 2 { observe(step + 1, y * Tensor(Float(steps[step].level.alpha))) }
    }
    observe(steps.count - 1, samples)
    return samples
  }

  /// What samples are compared with: fresh data that nothing was trained on.
  struct Ruler {
    let fresh: [Tensor]
    let points: Tensor

    init(_ data: PlaneData) {
      fresh = (0..<4).map { data.fresh(PlaneData.count, seed: data.key.seed &+ 1 &+ $0) }
      points = data.points
    }

    /// The mean distance to two sets: one alone is a noisy ruler.
    func distance(_ samples: Tensor) -> Double {
      (measured(samples, fresh[0]) + measured(samples, fresh[2])) / 2
    }

    var floor: Double { (measured(fresh[1], fresh[0]) + measured(fresh[3], fresh[2])) / 2 }

    func nearest(_ samples: Tensor) -> Double {
      let count = 256
      let distances = nearestExamples(samples[0..<count], among: points).map(\.distance)
      return distances.reduce(0, +) / Double(count)
    }

    private func measured(_ a: Tensor, _ b: Tensor) -> Double {
      var random = RandomSource(seed: 0x51)
      return slicedWassersteinDistance(a, b, projections: 48, random: &random)
    }
  }
}

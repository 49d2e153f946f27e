import NablaDiffusion
import NablaTensor
import NablaTraining

extension DiffusionStep {
  /// The networks learn while the page looks on: samples that find their shape, arrows that turn, losses at each level of
  /// noise beside the least that is possible.
  static let learn = Computation.job("learn") { query, _, job in
    let data = try PlaneData(query)
    let key = try PlaneModel.key(query, data)
    var training = try PlaneTraining(data, key)
    let probe = Probe(data)
    job.show("data", rounded(data.points[0..<400]))
    job.show("places", rounded(grid()))
    job.show(
      "facts",
      Facts(parameters: training.model.noise.values.reduce(0) { $0 + $1.count }, steps: key.steps, floor: probe.floor))
    var shown = 0.0
    while !training.isFinished, job.mayContinue() {
      let losses = try training.take()
      job.append("loss", [Double(training.count), losses.noise, losses.flow])
      let now = monotonicSeconds()
      if now - shown > 0.15 || training.isFinished {
        shown = now
        let t = try job.controls.integer("t", in: 0...999, default: query.integer("t", in: 0...999, default: 250))
        job.show("frame", Threads.with(1) { Frame(training, probe, t) })
      }
    }
    // Other laboratories ask for the same networks.
    if training.isFinished { training.model.keep() }
  }

  private struct Facts: Encodable {
    var parameters, steps: Int
    /// The loss of the exact denoiser.
    var floor: Double
  }

  private struct Frame: Encodable {
    var step: Int
    /// [300, 2]: what twelve DDIM steps make of noise.
    var samples: StudioTensor
    /// ε̂ at the places of the grid.
    var noise: StudioTensor
    /// [t, loss of the network, loss of the exact denoiser] in ten bands of noise.
    var bands: [[Double]]

    init(_ training: PlaneTraining, _ probe: Probe, _ t: Int) {
      (step, bands) = (training.count, [])
      let denoiser = training.model.denoiser()
      let places = grid()
      noise = rounded(denoiser(places, at: NoiseStep(time: Double(t), level: PlaneModel.process.level(at: t))).noise)
      guard let steps = try? PlaneModel.process.steps(12) else {
        preconditionFailure("a process of fewer than 12 steps")
      }
      var random = RandomSource(seed: 0xF00D)
      let start = initialNoise([300, 2], at: steps[0], random: &random)
      samples = rounded(DDIM().sample(start, denoiser, along: steps, random: &random))
      bands = probe.bands.map { [Double($0.t), $0.loss(denoiser), $0.floor] }
    }
  }

  /// Noise that is the same at every frame, in ten bands, and the loss that nothing can be below.
  struct Probe {
    struct Band {
      let t: Int
      let x, noise: Tensor
      let floor: Double

      func loss(_ denoiser: Denoiser) -> Double {
        let step = NoiseStep(time: Double(t), level: PlaneModel.process.level(at: t))
        return Double((denoiser(x, at: step).noise - noise).square().mean().item())
      }
    }

    /// Points in each band.
    static let count = 512
    let bands: [Band]
    var floor: Double { bands.reduce(0) { $0 + $1.floor } / Double(bands.count) }

    init(_ data: PlaneData) {
      let exact = ExactDenoiser(data.points)
      var random = RandomSource(seed: 0xBA2D)
      bands = (0..<10).map { band in
        let t = 100 * band + 50
        let noise = random.normal([Probe.count, 2])
        let levels = Array(repeating: PlaneModel.process.level(at: t), count: Probe.count)
        let x = noised(data.points[0..<Probe.count], noise: noise, levels: levels)
        return Band(
          t: t, x: x, noise: noise, floor: Double((exact.noise(x, levels: levels) - noise).square().mean().item()))
      }
    }
  }
}

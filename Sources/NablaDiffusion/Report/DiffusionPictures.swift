import FoundationEssentials
import NablaFormats
import NablaTensor
import NablaTraining

/// What the page of a finished run shows beside its curves, made once at the end and kept in `pictures.json`.
struct DiffusionPictures: Codable, Sendable {
  /// A PNG file, as base64 in JSON.
  struct Picture: Codable, Sendable {
    var title: String
    var caption: String
    var png: Data
  }
  /// The paths of points from noise to data, each a list of x and y by turns.
  struct Paths: Codable, Sendable {
    var points: [[Float]]
    /// At the end.
    var data: [Float]
  }
  /// The distance of samples to data by steps, of a sampler.
  struct Quality: Codable, Sendable {
    var sampler: String
    var steps: [Int]
    var distances: [Double]
  }

  var pictures: [Picture] = []
  var paths: Paths?
  var quality: [Quality] = []
  /// The distance of two sets of data.
  var floor: Double?

  static let file = "pictures.json"
}

extension DiffusionTrainer {
  /// Makes the pictures: a second or so for points, for images two grids of a few samples.
  func makePictures() throws -> DiffusionPictures {
    var result = DiffusionPictures()
    var random = RandomSource(seed: 0xF0)
    result.pictures.append(forwardStrip(random: &random))
    if setup.form.isImages {
      if let sweep = try guidanceSweep() { result.pictures.append(sweep) }
      return result
    }
    guard setup.form.shape == [2] else { return result }
    result.paths = try paths()
    (result.quality, result.floor) = try quality(random: &random)
    return result
  }

  /// Levels of noise from none to all, evenly spaced in the process's time.
  private func levels(_ count: Int) throws -> [NoiseLevel] {
    let c = setup.configuration
    if c.objective == .ddpm {
      let process = try c.discreteProcess()
      return (0..<count).map { process.level(at: $0 * (process.count - 1) / (count - 1)) }
    }
    let process = c.continuousProcess(deviation: setup.form.deviation)
    // A process whose noise explodes is shown in the logarithm of its noise: evenly in time it would be noise at once.
    let spacing: TimeSpacing = c.objective == .edm ? .logarithmic : .uniform
    return process.steps(count - 1, spacing: spacing).reversed().map(\.level)
  }

  /// x₀ … x_T: the same examples and the same noise at growing levels.
  private func forwardStrip(random: inout RandomSource) -> DiffusionPictures.Picture {
    let count = 8
    let levels = (try? self.levels(count)) ?? []
    let rows = setup.form.isImages ? 3 : 400
    let examples = data.batch(rows, random: &random).data
    let noise = random.normal(examples.shape)
    // At a level without end, what is shown is divided by its size.
    let states = levels.map { level -> Tensor in
      let size = max(1, (level.alpha * level.alpha + level.sigma * level.sigma).squareRoot())
      return (level.alpha / size) * examples + (level.sigma / size) * noise
    }
    let caption = "From data to noise: the process that the model reverses, at \(count) noise levels."
    if setup.form.isImages {
      let order = (0..<rows).flatMap { row in states.map { $0[row..<row + 1] } }
      return DiffusionPictures.Picture(
        title: "The forward process", caption: caption,
        png: Data(PNG.data(sampleGrid(Tensor.concatenate(order, axis: 0), columns: count))))
    }
    let images = states.map { scatterPicture($0, beside: examples, side: 160) }
    return DiffusionPictures.Picture(
      title: "The forward process", caption: caption, png: Data(PNG.data(Image.grid(images, columns: count))))
  }

  /// The same noise with more and more guidance, a row each.
  private func guidanceSweep() throws -> DiffusionPictures.Picture? {
    let (conditions, names) = data.conditions(6)
    guard conditions != .none else { return nil }
    // Without dropout the model knows no unconditional distribution to compare with.
    let scales = setup.configuration.conditionDropout > 0 ? [0.0, 1, 3, 5] : [1.0]
    let rows = try scales.map {
      try model.sample(
        6, DiffusionSampling(steps: min(20, setup.configuration.samplingSteps(nil)), guidance: $0),
        conditions: conditions, seed: 7)
    }
    return DiffusionPictures.Picture(
      title: "Guidance",
      caption: (scales.count == 1
        ? "Without guidance: the model was trained without condition dropout. Columns: "
        : "Rows: guidance scale 0 (unconditional), 1 (no guidance), 3 and 5, from the same noise. Columns: ")
        + names.joined(separator: ", ") + ".",
      png: Data(PNG.data(sampleGrid(Tensor.concatenate(rows, axis: 0), columns: 6))))
  }

  /// A discrete process has no more steps than it was trained with.
  private var mostSteps: Int {
    let c = setup.configuration
    return c.objective == .ddpm ? c.noiseSteps : .max
  }

  /// The paths of some points, by the standard sampler.
  private func paths() throws -> DiffusionPictures.Paths {
    let c = setup.configuration
    let (sampler, steps) = try c.sampler(nil, steps: min(25, mostSteps), deviation: setup.form.deviation)
    var random = RandomSource(seed: 11)
    let noise = initialNoise([60, 2], at: steps[0], random: &random)
    var states: [(x: Tensor, level: NoiseLevel)] = [(noise, steps[0].level)]
    let final = sampler.sample(noise, model.denoiser(), along: steps, random: &random) { step, x, _ in
      states.append((x, steps[min(step + 1, steps.count - 1)].level))
    }
    var points = [[Float]](repeating: [], count: 60)
    for (x, level) in states {
      // Of one size at every level, as in the strip.
      let size = Float(max(1, (level.alpha * level.alpha + level.sigma * level.sigma).squareRoot()))
      let numbers = x.array()
      for row in 0..<60 { points[row] += [numbers[2 * row] / size, numbers[2 * row + 1] / size] }
    }
    return DiffusionPictures.Paths(points: points, data: final.array())
  }

  /// How near samples come to data by the number of steps, for every sampler without noise of its own.
  private func quality(random: inout RandomSource) throws -> ([DiffusionPictures.Quality], Double?) {
    let count = 500
    let examples = data.examples(count, random: &random)
    let floor = setup.form.distance(data.examples(count, random: &random), examples, random: &random)
    let counts = [2, 4, 8, 16, 32].filter { $0 <= mostSteps }
    let kinds = setup.configuration.samplers.filter { [.ddim, .euler, .heun, .dpm].contains($0) }
    let quality = try kinds.map { kind in
      DiffusionPictures.Quality(
        sampler: kind.rawValue, steps: counts,
        distances: try counts.map { steps in
          let samples = try model.sample(count, DiffusionSampling(sampler: kind, steps: steps), seed: 13)
          return setup.form.distance(samples, examples, random: &random)
        })
    }
    return (quality, floor)
  }
}

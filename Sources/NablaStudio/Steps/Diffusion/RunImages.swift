import NablaDiffusion
import NablaFormats
import NablaTensor
import NablaTraining

extension DiffusionStep {
  /// A run that the reader gave, as far as it can be sampled from.
  struct Run: Encodable {
    var index: Int
    var path: String
    var objective: String
    /// Of one example.
    var shape: [Int]
    var parameters: Int
    var classes: [String]
    var isCaptioned: Bool
  }

  struct Runs: Encodable {
    var runs: [Run]
    /// Why others could not be read.
    var problems: [String]
  }

  /// The generative models among the reader's runs.
  static let runs = Computation.answer("runs") { _, studio in
    var (found, problems) = ([Run](), [String]())
    for (index, path) in studio.options.runs.enumerated() {
      guard isDiffusion(path) else { continue }
      do {
        let model = try DiffusionModel.load(path)
        found.append(
          Run(
            index: index, path: path, objective: model.configuration.objective.rawValue, shape: model.form.shape,
            parameters: model.network.parameterCount, classes: Array((model.form.classNames ?? []).prefix(100)),
            isCaptioned: model.form.vocabulary != nil))
      } catch {
        problems.append("\(error)")
      }
    }
    return Runs(runs: found, problems: problems)
  }.recorded([])

  /// What a run's model makes of noise.
  struct Images: Encodable {
    /// [N, channels, height, width] in -1 … 1, or points [N, d].
    var samples: StudioTensor
    /// The first sample after some of the steps: what it is, and what data it seems to hold; [frames, …] each.
    var film, estimates: StudioTensor
    /// The steps of the film.
    var taken: [Int]
    var evaluationSteps: Int
  }

  static let images = Computation.answer("images") { query, studio in
    let runs = studio.options.runs
    if runs.isEmpty {
      throw StudioError("no run was given: start nabla studio with --run and a run of nabla diffusion train")
    }
    let model = try DiffusionModel.load(runs[try query.integer("run", in: 0...runs.count - 1, default: 0)])
    let numbers = model.form.shape.reduce(1, *)
    guard numbers <= 3 * 128 * 128 else {
      throw StudioError(
        "its images of \(model.form.shape) are too large to make here: nabla diffusion sample makes them")
    }
    let count = model.form.isImages ? min(12, max(1, 100_000 / numbers)) : 600
    let steps = try query.integer("n", in: 1...100, default: 20)
    var conditions = Conditions.none
    if let classes = model.form.classNames {
      let chosen = try query.integer("class", in: -1...classes.count - 1, default: -1)
      conditions = .classes((0..<count).map { Int32(chosen < 0 ? $0 % classes.count : chosen) })
    } else if model.form.vocabulary != nil {
      let caption = try query.text("caption", atMost: 200, default: "")
      if !caption.isEmpty { conditions = try model.conditions(count: count, caption: caption) }
    }
    let (sampler, levels) = try model.configuration.sampler(nil, steps: steps, deviation: model.form.deviation)
    var random = RandomSource(seed: try query.seed())
    let noise = initialNoise(Shape([count] + model.form.shape), at: levels[0], random: &random)
    let denoiser = model.denoiser(conditions, guidance: try query.number("w", in: 0...10, default: 1))
    var (film, estimates, taken) = ([noise[0]], [noise[0]], [0])
    let samples = sampler.sample(noise, denoiser, along: levels, random: &random) { step, x, estimate in
      guard (step + 1) * 7 >= taken.count * (levels.count - 1) else { return }
      film.append(x[0])
      estimates.append(estimate[0])
      taken.append(step + 1)
    }
    let restored = model.form.scale.map { $0.restore(samples) } ?? samples
    return Images(
      samples: rounded(restored), film: rounded(.stack(film)), estimates: rounded(.stack(estimates)), taken: taken,
      evaluationSteps: levels.count - 1)
  }.recorded([])

  /// Whether a path is a run of diffusion training, or a model folder of one.
  static func isDiffusion(_ path: String) -> Bool {
    if let run = try? RunFolder.open(path) { return run.command == DiffusionTrainer.command }
    struct Description: Decodable { var format: String }
    return (try? readJSON("\(path)/config.json", as: Description.self))?.format == "nabla-diffusion"
  }
}

import Glibc
import NablaFormats
import NablaNN
import NablaTensor
import NablaTraining

/// A generative model: a network with its training objective and the form of its data.
///
/// ```swift
/// let model = try DiffusionModel.load("runs/moons")
/// let points = try model.sample(1000, DiffusionSampling(steps: 20), seed: 1)
/// ```
public struct DiffusionModel {
  public let configuration: DiffusionConfiguration
  public let form: DataForm
  public let network: DiffusionNetwork
  let objective: any DenoisingObjective

  /// With random weights.
  /// - Throws: `ConfigurationError` or ``DiffusionError`` for settings that do not fit the data.
  public init(_ configuration: DiffusionConfiguration, _ form: DataForm, random: inout RandomSource) throws {
    (self.configuration, self.form) = (configuration, form)
    objective = try configuration.denoisingObjective(deviation: form.deviation)
    network = try DiffusionNetwork(configuration, form, random: &random)
  }

  /// The network in the form that samplers use.
  ///
  /// - Parameters:
  ///   - conditions: One per row, or none.
  ///   - guidance: The scale of classifier-free guidance: 1 for none; see ``Denoiser/guided(by:against:)``.
  public func denoiser(_ conditions: Conditions = .none, guidance: Double = 1) -> Denoiser {
    let denoiser = objective.denoiser { [network] x, times in network(x, times, conditions) }
    // Images are known to be in -1 … 1; points may be anywhere.
    let threshold: Threshold = form.isImages ? .clip() : .none
    guard conditions != .none, guidance != 1 else { return denoiser.thresholded(threshold) }
    let unconditional = objective.denoiser { [network] x, times in network(x, times, .none) }
    return denoiser.guided(by: guidance, against: unconditional).thresholded(threshold)
  }

  /// Generates samples: points [count, d] in the data's own units, or images [count, channels, height, width] in -1 …
  /// 1.
  ///
  /// - Parameters:
  ///   - count: The number of samples.
  ///   - options: The sampler, its steps and guidance.
  ///   - conditions: One per row, or none.
  ///   - known: Data that are known in part, on the scale of the network.
  ///   - interpolates: Whether the rows interpolate spherically between two noises.
  ///   - seed: Of the noise.
  /// - Throws: `ConfigurationError` for a sampler that the objective cannot use, or what the model was not trained for;
  ///   ``DiffusionError/samplesNotFinite``.
  public func sample(
    _ count: Int, _ options: DiffusionSampling = DiffusionSampling(), conditions: Conditions = .none,
    keeping known: KnownData? = nil, interpolates: Bool = false, seed: UInt64
  ) throws -> Tensor {
    let isConditional = form.classNames != nil || form.vocabulary != nil
    try require(
      !isConditional || configuration.conditionDropout > 0 || conditions != .none && options.guidance == 1,
      """
      the model was trained with \(setting: "condition-dropout") 0 and knows no unconditional distribution: give \
      \(setting: form.classNames != nil ? "class" : "prompt") and no \(setting: "guidance")
      """)
    var random = RandomSource(seed: seed)
    let (sampler, steps) = try configuration.sampler(
      options.sampler, steps: options.steps ?? configuration.samplingSteps(options.sampler), deviation: form.deviation)
    var noise = initialNoise(Shape([interpolates ? 2 : count] + form.shape), at: steps[0], random: &random)
    if interpolates {
      let shares = (0..<count).map { Double($0) / Double(max(count - 1, 1)) }
      noise = Tensor.concatenate(shares.map { slerp(noise[0..<1], noise[1..<2], $0) }, axis: 0)
    }
    let denoiser = denoiser(conditions, guidance: options.guidance).keeping(known)
    var result = sampler.sample(noise, denoiser, along: steps, random: &random)
    // A sampler may end with a step that the network was asked of before.
    if let known { result = known.imposed(on: result) }
    guard result.sum().item().isFinite else { throw DiffusionError.samplesNotFinite }
    return form.scale.map { $0.restore(result) } ?? result
  }

  /// The condition of every sample from a class or a caption.
  ///
  /// - Throws: `ConfigurationError` if the model has no such class or was not trained with conditions;
  ///   ``DiffusionError`` for words it does not know.
  public func conditions(count: Int, class name: String? = nil, caption: String? = nil) throws -> Conditions {
    if let name {
      guard let names = form.classNames else {
        throw ConfigurationError("\(setting: "class"): the model was trained without classes")
      }
      guard let label = names.firstIndex(of: name) ?? Int(name).flatMap({ names.indices.contains($0) ? $0 : nil })
      else {
        throw ConfigurationError(
          "\(setting: "class") must be one of \(names.prefix(20).joined(separator: ", ")), not \(name)")
      }
      return .classes(Array(repeating: Int32(label), count: count))
    }
    if let caption {
      guard let vocabulary = form.vocabulary else {
        throw ConfigurationError("\(setting: "prompt"): the model was trained without captions")
      }
      let words = try vocabulary.encode(caption)
      try require(
        words.count <= TextEncoder.standardLength,
        "\(setting: "prompt") has \(words.count) words, but the model reads \(TextEncoder.standardLength)")
      return .captions(Array(repeating: words, count: count))
    }
    return .none
  }
}

/// Spherical interpolation (Shoemake 1985): noise of many numbers lies near a sphere, and linear interpolation between two of
/// them gives vectors that are too short.
public func slerp(_ a: Tensor, _ b: Tensor, _ share: Double) -> Tensor {
  let lengths = (a.sumOfSquares() * b.sumOfSquares()).squareRoot()
  let cosine = lengths > 0 ? Double((a * b).sum().item()) / lengths : 1
  let angle = acos(min(max(cosine, -1), 1))
  // Nearly parallel: the straight line is the arc.
  guard angle > 1e-4 else { return (1 - share) * a + share * b }
  return (sin((1 - share) * angle) / sin(angle)) * a + (sin(share * angle) / sin(angle)) * b
}

/// Sampling options.
public struct DiffusionSampling: Sendable, Hashable {
  /// Nil for the objective's default.
  public var sampler: SamplerKind?
  /// Nil for the sampler's default.
  public var steps: Int?
  /// 1 for none.
  public var guidance: Double

  public init(sampler: SamplerKind? = nil, steps: Int? = nil, guidance: Double = 1) {
    (self.sampler, self.steps, self.guidance) = (sampler, steps, guidance)
  }
}

extension DiffusionConfiguration {
  func samplingSteps(_ sampler: SamplerKind?) -> Int {
    switch sampler ?? samplers[0] {
    case .ancestral: min(noiseSteps, 250)
    case .ddim, .euler: min(objective == .ddpm ? noiseSteps : .max, 50)
    case .heun, .dpm: min(objective == .ddpm ? noiseSteps : .max, 25)
    case .sde, .predictorCorrector: 500
    case .langevin: 100
    case .ode: 1
    }
  }
}

extension DiffusionModel {
  /// `config.json` of a model folder.
  private struct Description: Codable {
    var format = "nabla-diffusion"
    var configuration: DiffusionConfiguration
    var data: DataForm
  }

  /// Writes `config.json` and `model.safetensors` into an existing folder.
  func save(to folder: String) throws {
    try writeJSON(Description(configuration: configuration, data: form), to: "\(folder)/config.json")
    let state = Dictionary(uniqueKeysWithValues: network.parameters().map { ($0.name, $0.value) })
    try SafetensorsFile.write(state, to: "\(folder)/model.safetensors")
  }

  /// The model of a run, finished or not, or of a model folder.
  ///
  /// - Throws: `RunFolderError`, ``DataError`` and what reading throws, naming the file.
  public static func load(_ path: String, warn: (String) throws -> Void = { _ in }) throws -> DiffusionModel {
    var random = RandomSource(seed: 0)  // every parameter is read
    if pathExists("\(path)/model.safetensors"), !pathExists("\(path)/metrics.jsonl") {
      let description = try readJSON("\(path)/config.json", as: Description.self)
      let model = try DiffusionModel(description.configuration, description.data, random: &random)
      try model.loadWeights("\(path)/model.safetensors")
      return model
    }
    let run = try RunFolder.open(path)
    let setup = try TrainingRun<DiffusionTrainer>.setup(of: run)
    guard let checkpoint = try run.newestCheckpoint(warn: warn) else { throw TrainingError.noCheckpoint(path: path) }
    let model = try DiffusionModel(setup.configuration, setup.form, random: &random)
    let averaged = checkpoint.file("ema.safetensors")
    try model.loadWeights(pathExists(averaged) ? averaged : checkpoint.file("model.safetensors"))
    return model
  }

  private func loadWeights(_ path: String) throws {
    let tensors = try SafetensorsFile(path: path).tensors()
    do throws(StateError) {
      try network.load(tensors)
    } catch {
      throw DataError(file: path, problem: "\(error)")
    }
  }
}

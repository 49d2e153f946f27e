import NablaFormats
import NablaNN
import NablaTensor

/// The singular values of the fine-tuning update of one matrix: its effective rank.
public struct WeightChange: Sendable {
  /// The layer's path, or the parameter's name.
  public let name: String
  /// [out, in].
  public let shape: [Int]
  /// Of ΔW.
  public let spectrum: SingularSpectrum

  /// The smallest ranks that retain 90 and 99 % of the energy ‖ΔW‖².
  public var rank90: Int { spectrum.rank(holding: 0.9) }
  public var rank99: Int { spectrum.rank(holding: 0.99) }
  /// ‖ΔW‖, the Frobenius norm.
  public var norm: Double { spectrum.energy.squareRoot() }
}

/// The contents of an adapter in a PEFT folder, without its base.
public struct AdapterInspection: Sendable {
  public let path: String
  /// The base model it was trained on.
  public let base: String?
  public let rank: Int
  public let alpha: Double
  /// "LoRA", "rsLoRA", "DoRA".
  public let kind: String
  public let targets: [String]
  public let parameterCount: Int
  /// s·B·A of each layer; with DoRA before the magnitudes.
  public let changes: [WeightChange]

  /// - Throws: an error that names the file and what is wrong with it.
  public init(path: String) throws {
    self.path = path
    let config = try AdapterConfig(file: "\(path)/\(AdapterFolder.configName)")
    (base, rank, alpha, targets) = (config.base, config.rank, config.alpha, config.targets)
    kind = (config.usesRSLoRA ? "rs" : "") + (config.usesDoRA ? "DoRA" : "LoRA")
    let file = "\(path)/\(AdapterFolder.weightsName)"
    var tensors = try SafetensorsFile(path: file).tensors()
    parameterCount = tensors.values.reduce(0) { $0 + $1.count }
    // The head of a reward model is no update of a weight.
    if config.hasScore { tensors[AdapterFolder.scoreName] = nil }
    changes = try AdapterFolder.parts(tensors, file: file).sorted { layerOrder($0.key, $1.key) }.map { layer, parts in
      guard let down = parts["lora_A"], let up = parts["lora_B"], down.rank == 2, up.rank == 2,
        up.shape[1] == down.shape[0], down.shape[0] > 0
      else { throw ModelFolderError(file: file, problem: "the factors of layer \(layer) do not fit") }
      let scale = config.configuration(of: layer, rank: down.shape[0]).scale
      return WeightChange(
        name: layer, shape: [up.shape[0], down.shape[1]],
        spectrum: SingularSpectrum(ofProduct: up, down, scale: Double(scale)))
    }
  }
}

/// The fine-tuning update of a whole model: W_tuned - W_base of every matrix.
public struct ModelDifference: Sendable {
  public let changes: [WeightChange]

  /// - Parameters:
  ///   - base: A GGUF file, a Hugging Face folder or a training run.
  ///   - tuned: The same, of the same architecture.
  ///   - progress: called with the name of each matrix before it is decomposed.
  /// - Throws: an error that names the file, and a tensor that only one of them has or whose shapes differ.
  public init(base: String, tuned: String, progress: (String) -> Void = { _ in }) throws {
    let (before, after) = (try ModelSource(path: base), try ModelSource(path: tuned))
    let known = Set(before.parameters)
    var changes: [WeightChange] = []
    var waiting: [(name: String, difference: Tensor)] = []
    func decompose() {
      let spectra = SingularSpectrum.spectra(of: waiting.map(\.difference))
      for (part, spectrum) in zip(waiting, spectra) {
        changes.append(WeightChange(name: part.name, shape: Array(part.difference.shape), spectrum: spectrum))
      }
      waiting = []
    }
    for name in after.parameters.sorted(by: layerOrder) {
      guard known.contains(name) else { throw ModelFolderError(file: base, problem: "no tensor \(name)") }
      let (old, new) = (try before.tensor(name), try after.tensor(name))
      guard old.shape == new.shape else {
        throw ModelFolderError(
          file: tuned, problem: "\(name) has shape \(new.shape), but in \(base) it is \(old.shape)")
      }
      guard new.rank == 2 else { continue }
      progress(name)
      waiting.append((name, new.cast(.float32) - old.cast(.float32)))
      if waiting.count == Threads.count { decompose() }
    }
    decompose()
    self.changes = changes
  }
}

extension ModelSource {
  /// A GGUF file, a Hugging Face folder or a training run.
  init(path: String) throws {
    if try GGUFFile.isGGUF(path) {
      self.init(try GGUFModel(path: path))
    } else {
      try self.init(folder: ModelFolder.path(of: path))
    }
  }
}

/// Sorts layers by number, not as text.
private func layerOrder(_ a: String, _ b: String) -> Bool {
  let (a, b) = (a.split(separator: "."), b.split(separator: "."))
  for (x, y) in zip(a, b) where x != y {
    if let x = Int(x), let y = Int(y) { return x < y }
    return x < y
  }
  return a.count < b.count
}

import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaTraining

extension TunedModel {
  /// Writes what is trained: a PEFT folder `adapter`, or the whole model as a Hugging Face folder.
  public func save(to folder: String) throws {
    if let name = model.firstNonFinite {
      throw Diverged(reason: "the weights are non-finite; the first non-finite parameter is \(name)")
    }
    if kind == .none {
      try trained.save(to: folder)
    } else {
      try AdapterFolder.save(
        Self.policyName, of: model, base: source.base, to: "\(folder)/\(AdapterRun.folderName)")
    }
  }

  /// Restores what ``save(to:)`` wrote, bit for bit.
  public func restore(from folder: String) throws {
    if kind == .none {
      let saved = try ModelFolder.load(folder)
      let values = Dictionary(uniqueKeysWithValues: saved.parameters().map { ($0.name, $0.value) })
      for parameter in model.parameters() { if let value = values[parameter.name] { parameter.value = value } }
      return
    }
    try model.restoreAdapter(Self.policyName, from: "\(folder)/\(AdapterRun.folderName)")
  }

  /// Writes what a finished run leaves: `adapter` or `model` in the run's folder.
  public func finish(in run: RunFolder) throws {
    if kind == .none {
      try AtomicFolder.write(to: "\(run.path)/model") { try trained.save(to: $0) }
    } else {
      try AtomicFolder.write(to: "\(run.path)/\(AdapterRun.folderName)") {
        try AdapterFolder.save(Self.policyName, of: model, base: source.base, to: $0)
      }
    }
  }
}

extension Module {
  /// Gives an adapter of the model the values that a PEFT folder has, bit for bit.
  func restoreAdapter(_ name: String, from folder: String) throws {
    let names = ["down": "lora_A.weight", "up": "lora_B.weight", "magnitude": "lora_magnitude_vector"]
    let file = "\(folder)/\(AdapterFolder.weightsName)"
    let tensors = try SafetensorsFile(path: file).tensors()
    for (path, adapter) in adapter(name) {
      for parameter in adapter.parameters() {
        let name = "base_model.model.\(path).\(names[parameter.name]!)"
        guard let tensor = tensors[name], tensor.shape == parameter.value.shape else {
          throw ModelFolderError(file: file, problem: "tensor \(name) is missing or has another shape")
        }
        parameter.value = tensor
      }
    }
  }
}

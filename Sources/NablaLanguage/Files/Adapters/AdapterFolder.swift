import NablaFormats
import NablaNN
import NablaTensor

/// An adapter in the format of Hugging Face's PEFT: `adapter_config.json` and `adapter_model.safetensors`, whose
/// tensors are named `base_model.model.<layer>.lora_A.weight`, `.lora_B.weight` and, with DoRA,
/// `.lora_magnitude_vector`.
public enum AdapterFolder {
  public static let configName = "adapter_config.json"
  public static let weightsName = "adapter_model.safetensors"
  static let prefix = "base_model.model."

  /// Whether a path is a folder that contains an adapter.
  public static func isAdapter(_ path: String) -> Bool { pathExists("\(path)/\(configName)") }

  /// Writes an adapter of a model.
  ///
  /// A PiSSA adapter is written as the update of the unchanged base, which has twice the rank.
  ///
  /// - Parameters:
  ///   - name: of an adapter that the model has.
  ///   - model: the model with the adapter.
  ///   - base: the base model's name or path, as PEFT looks for it.
  ///   - score: the head's weight of a reward model, [1, C].
  ///   - folder: made if it does not exist.
  public static func save(
    _ name: String = "default", of model: Module, base: String, score: Tensor? = nil, to folder: String
  ) throws {
    let layers = model.adapter(name)
    guard let first = layers.first?.adapter else {
      throw AdapterError.unknown(name: name, known: model.adapterNames)
    }
    try createFolders(folder)
    var state: [String: Tensor] = [:]
    for (path, adapter) in layers {
      let factors = withoutGradient { adapter.factors }
      state["\(prefix)\(path).lora_A.weight"] = factors.down
      state["\(prefix)\(path).lora_B.weight"] = factors.up
      state["\(prefix)\(path).lora_magnitude_vector"] = adapter.magnitude
    }
    state[scoreName] = score
    try SafetensorsFile.write(state.mapValues { $0.cast(.float32) }, to: "\(folder)/\(weightsName)")
    var config = AdapterConfig(first, layers: layers.map { ($0.path, $0.adapter) }, base: base)
    config.hasScore = score != nil
    try AtomicFile.write(config.json.serialized(.indented) + "\n", to: "\(folder)/\(configName)")
  }

  /// Reads an adapter and adds it to a model, frozen and not active (see `Module.useAdapter`).
  ///
  /// - Parameters:
  ///   - folder: a PEFT folder.
  ///   - model: has the layers that the adapter names.
  ///   - name: of the adapter in the model.
  ///   - base: the name or path of the model, to be compared with the one the adapter was made for.
  ///   - isTrainable: whether training goes on from it.
  ///   - dropout: of that training; nil for what the adapter was trained with.
  ///   - allowsScore: whether it may be that of a reward model, whose head `score(in:)` reads.
  /// - Returns: what the user should know: that the adapter names another base.
  /// - Throws: an error that names the file and field, or the tensor that does not fit the model.
  @discardableResult
  public static func load(
    _ folder: String, into model: Module, as name: String = "default", base: String? = nil, isTrainable: Bool = false,
    dropout: Float? = nil, allowsScore: Bool = false
  ) throws -> [String] {
    var config = try AdapterConfig(file: "\(folder)/\(configName)")
    if let dropout { config.dropout = Double(dropout) }
    let path = "\(folder)/\(weightsName)"
    var tensors = try SafetensorsFile(path: path).tensors()
    if config.hasScore {
      if !allowsScore {
        throw ModelFolderError(
          file: folder, problem: "is the adapter of a reward model, which rates texts and generates none")
      }
      tensors[scoreName] = nil
    }
    let adapters = try adapters(tensors, config, for: model, file: path)
    try model.addAdapter(name, adapters)
    if !isTrainable { for adapter in adapters.values { adapter.freeze() } }
    guard let base, let theirs = config.base, baseName(theirs) != baseName(base) else { return [] }
    return ["\(folder) was made for \"\(theirs)\", but the model is \"\(base)\": the shapes match"]
  }

  /// What an adapter was made with. Layers of PEFT's `alpha_pattern` differ from it.
  ///
  /// - Throws: an error that names the file, and the field that is missing or not supported.
  public static func configuration(in folder: String) throws -> LoRAConfiguration {
    let config = try AdapterConfig(file: "\(folder)/\(configName)")
    return config.configuration(of: "", rank: config.rank)
  }

  /// The weight [1, C] of the head of a reward model whose adapter the folder holds; nil for another adapter.
  ///
  /// - Throws: an error that names the file, also where the tensor is missing or has another shape.
  public static func score(in folder: String, width: Int) throws -> Tensor? {
    guard try AdapterConfig(file: "\(folder)/\(configName)").hasScore else { return nil }
    let path = "\(folder)/\(weightsName)"
    guard let score = try SafetensorsFile(path: path).tensors()[scoreName], score.shape == [1, width] else {
      throw ModelFolderError(file: path, problem: "tensor \(scoreName) is missing, or is not [1, \(width)]")
    }
    return score.cast(.float32)
  }

  static let scoreName = "\(prefix)score.weight"

  /// The adapters by the paths of their layers.
  static func adapters(
    _ tensors: [String: Tensor], _ config: AdapterConfig, for model: Module, file: String
  ) throws(ModelFolderError) -> [String: LoRAAdapter] {
    let layers = try parts(tensors, file: file)
    var problems: [String] = []
    var adapters: [String: LoRAAdapter] = [:]
    for (layer, parts) in layers.sorted(by: { $0.key < $1.key }) {
      guard let linear = (try? model.module(at: layer)) as? Linear else {
        problems.append("the model has no linear layer \(layer)")
        continue
      }
      guard let down = parts["lora_A"], let up = parts["lora_B"] else {
        problems.append("layer \(layer) has only one of lora_A and lora_B")
        continue
      }
      let magnitude = parts["lora_magnitude_vector"].map { $0.reshaped([$0.count]) }
      let (inputs, outputs, rank) = (linear.inputs, linear.outputs, down.shape[0])
      if down.shape != [rank, inputs] || up.shape != [outputs, rank] || rank == 0 {
        problems.append("layer \(layer) is \(linear.weight.shape), but its adapter is \(up.shape) · \(down.shape)")
      } else if config.usesDoRA != (magnitude != nil) || magnitude.map({ $0.shape != [outputs] }) ?? false {
        problems.append(
          "layer \(layer): lora_magnitude_vector \(magnitude.map { "has the shape \($0.shape)" } ?? "is missing")")
      } else {
        adapters[layer] = LoRAAdapter(
          down: down.cast(.float32), up: up.cast(.float32), magnitude: magnitude?.cast(.float32),
          config.configuration(of: layer, rank: rank))
      }
    }
    guard problems.isEmpty else {
      let base = config.base.map { " (the adapter was made for \"\($0)\")" } ?? ""
      throw ModelFolderError(file: file, problem: StateError(problems: problems).description + base)
    }
    return adapters
  }

  /// The tensors of a file by layer and part: `lora_A`, `lora_B`, `lora_magnitude_vector`.
  static func parts(
    _ tensors: [String: Tensor], file: String
  ) throws(ModelFolderError) -> [String: [String: Tensor]] {
    var parts: [String: [String: Tensor]] = [:]
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      guard let (layer, part) = split(name) else {
        throw ModelFolderError(file: file, problem: "tensor \(name) does not belong to a LoRA adapter of linear layers")
      }
      parts[layer, default: [:]][part] = tensor
    }
    guard !parts.isEmpty else { throw ModelFolderError(file: file, problem: "it contains no adapter") }
    return parts
  }

  /// A tensor's layer and its part of the adapter.
  private static func split(_ name: String) -> (layer: String, part: String)? {
    guard name.hasPrefix(prefix) else { return nil }
    for part in ["lora_A", "lora_B", "lora_magnitude_vector"] {
      for suffix in [".\(part).weight", ".\(part)"] where name.hasSuffix(suffix) {
        return (String(name.dropFirst(prefix.count).dropLast(suffix.count)), part)
      }
    }
    return nil
  }

  /// The last part of a path or name, without the quantization suffix of a GGUF file.
  private static func baseName(_ path: String) -> String {
    var name = String(path.split(separator: "/").last ?? "").lowercased()
    if name.hasSuffix(".gguf") {
      name.removeLast(5)
      if let point = name.lastIndex(where: { $0 == "." || $0 == "-" }) {
        let kind = name[name.index(after: point)...]
        if kind.hasPrefix("q") || kind.hasPrefix("iq") || ["f16", "f32", "bf16"].contains(String(kind)) {
          name = String(name[..<point])
        }
      }
    }
    return name
  }
}

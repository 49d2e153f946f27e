import NablaFormats
import NablaNN
import NablaTensor
import NablaText

/// A model in Hugging Face's layout: `config.json`, `model.safetensors`, `tokenizer.json`.
///
/// A model with Llama's architecture (rotary positions, RMS pre-norm, SwiGLU) or GPT-2's (learned positions,
/// layer pre-norm, GELU, biases) is written as one, and `transformers` loads it; any other is written under Nabla's own
/// names with `"model_type": "nabla"`.
public enum ModelFolder {
  public static let weightsName = "model.safetensors"

  /// - Parameters:
  ///   - model: any architecture that transformers has too.
  ///   - tokenizer: written beside the model; nil for none.
  ///   - folder: must exist.
  ///   - type: float32 keeps all types but quantized ones; bfloat16 and float16 round every weight.
  public static func save(
    _ model: TransformerLM, tokenizer: (any Tokenizer)?, to folder: String, type: DType = .float32
  ) throws {
    let architecture = Architecture(of: model.configuration)
    let end = tokenizer?.endOfText
    try AtomicFile.write(
      architecture.config(model.configuration, endOfText: end).serialized(.indented) + "\n", to: "\(folder)/config.json"
    )
    var generation = JSONObject([("_from_model_config", .bool(true))])
    if let end { generation["eos_token_id"] = .integer(Int(end)) }
    try AtomicFile.write(
      JSONValue.object(generation).serialized(.indented) + "\n", to: "\(folder)/generation_config.json")
    if let tokenizer {
      try TokenizerFolder.save(tokenizer, to: folder, maximumLength: model.configuration.context)
    }
    var state: [String: Tensor] = [:]
    for parameter in model.parameters() {
      let value = parameter.value
      state[parameter.name] = value.dtype.isQuantized ? value.cast(.float32) : value
    }
    var exported = architecture.exported(state, model.configuration)
    if type != .float32 { exported = exported.mapValues { $0.cast(type) } }
    try SafetensorsFile.write(exported, to: "\(folder)/\(weightsName)")
  }

  /// - Parameters:
  ///   - folder: has `config.json` and safetensors files.
  ///   - keepingTypes: whether matrices stay in the mapped file in their stored type: loading then takes almost no time
  ///     and memory, and the model is for inference, not for training.
  /// - Throws: an error that names the file and field or tensor that does not fit.
  public static func load(_ folder: String, keepingTypes: Bool = false) throws -> TransformerLM {
    try load(folder, as: nil, keepingTypes: keepingTypes)
  }

  /// - Parameter trained: the configuration the model was trained with, some of which `config.json` cannot store:
  ///   dropout, and that a GPT-2's biases of 0 mean no biases.
  static func load(
    _ folder: String, as trained: TransformerConfiguration?, keepingTypes: Bool = false
  ) throws -> TransformerLM {
    let (model, score) = try read(folder, as: trained, keepingTypes: keepingTypes)
    if score != nil {
      throw ModelFolderError(file: folder, problem: "is a reward model, which rates texts and generates none")
    }
    return model
  }

  /// Also a reward model: its backbone in a language model without an output layer of its own, and its head's weight.
  package static func read(
    _ folder: String, as trained: TransformerConfiguration? = nil, keepingTypes: Bool
  ) throws -> (model: TransformerLM, score: Tensor?) {
    let path = "\(folder)/config.json"
    let config = try JSONValue(contentsOfFile: path)
    let (architecture, stored) = try Architecture.read(config, file: path)
    var configuration = trained ?? stored
    var tensors = try SafetensorsModel(path: folder).mappedTensors()
    let score = tensors.removeValue(forKey: scoreName)
    if score != nil { configuration.tieEmbeddings = true }
    do { try configuration.validate() } catch { throw ModelFolderError(file: path, problem: error.problem) }
    if let score, score.shape != [1, configuration.width] {
      throw ModelFolderError(
        file: "\(folder)/\(weightsName)",
        problem: "\(scoreName) has shape \(score.shape), a reward model's is [1, \(configuration.width)]: one label")
    }
    // Before anything is made of that size. Somewhat too few is a missing tensor, which `load` below names.
    let (described, held) = (configuration.parameterCount, tensors.values.reduce(0) { $0 + $1.count })
    guard described / 2 <= held + 1 << 20 else {
      throw ModelFolderError(
        file: path, problem: "describes a model of \(described) parameters, but its tensors have \(held)")
    }
    let model = TransformerLM.unset(configuration)
    do {
      var state = try architecture.imported(tensors, configuration)
      if architecture == .gpt2, !configuration.bias {
        state = state.filter { !$0.key.hasSuffix("_proj.bias") }
      }
      try model.load(state, keepingTypes: keepingTypes)
    } catch {
      throw ModelFolderError(file: "\(folder)/\(weightsName)", problem: error.description)
    }
    return (model, score?.cast(.float32))
  }
}

/// A model folder that cannot be used.
public struct ModelFolderError: Error, CustomStringConvertible, Sendable {
  public let file: String
  public let problem: String

  public init(file: String, problem: String) { (self.file, self.problem) = (file, problem) }
  public var description: String { "\(file): \(problem)" }
}

import NablaFormats
import NablaNN
import NablaTensor
import NablaText

// Loading adapters for a model, and writing a model as a folder.
extension TrainedModel {
  /// Loads adapters; the first is active, the others become active with `model.useAdapter(_:)` and their path. They
  /// share one base model in memory: see `Module.useAdapter(_:)`.
  ///
  /// - Parameter adapters: PEFT folders, or runs that trained an adapter. Each is named by its path.
  /// - Returns: notes for the user, such as that an adapter names another base.
  /// - Throws: an error that names the file, and the tensor that does not fit.
  @discardableResult
  public func addAdapters(_ adapters: [String]) throws -> [String] {
    try addAdapters(adapters, allowingScores: false)
  }

  /// - Parameter allowsScores: whether they may be those of reward models, whose heads `AdapterFolder.score` reads.
  @discardableResult
  func addAdapters(_ adapters: [String], allowingScores allowsScores: Bool) throws -> [String] {
    var notes: [String] = []
    for path in adapters {
      let folder = try AdapterRun(path)?.adapter ?? path
      guard AdapterFolder.isAdapter(folder) else {
        throw ModelFolderError(
          file: folder,
          problem: "is not an adapter: it has no \(AdapterFolder.configName), and is not a run that trained one")
      }
      notes += try AdapterFolder.load(
        folder, into: model, as: path, base: self.path, allowsScore: allowsScores)
    }
    model.useAdapter(adapters.first)
    return notes
  }

  /// Writes the model as a Hugging Face folder, with tokenizer and chat template.
  ///
  /// - Parameters:
  ///   - folder: must exist.
  ///   - type: of the weights: float32, or rounded to bfloat16 or float16.
  public func save(to folder: String, type: DType = .float32) throws {
    try ModelFolder.save(model, tokenizer: nil, to: folder, type: type)
    try text.writeFiles(to: folder, context: model.configuration.context, generation)
    // Where `transformers` reads the end-of-text tokens, besides the tokenizer.
    let path = "\(folder)/config.json"
    var config = try JSONValue(contentsOfFile: path).object ?? JSONObject()
    for key in ["dtype", "torch_dtype"] where type != .float32 { config[key] = .string(type.rawValue) }
    for (key, role) in [("bos_token_id", "bos_token"), ("eos_token_id", "eos_token"), ("pad_token_id", "pad_token")] {
      config[key] = text.id(of: role).map { .integer(Int($0)) } ?? .null
    }
    try AtomicFile.write(JSONValue.object(config).serialized(.indented) + "\n", to: path)
  }

  /// Merges an adapter into the model and writes the result, with the chat template that the adapter was trained with.
  ///
  /// The update is added to the weights that the model computes with: for a quantized base, to the dequantized
  /// weights, on which the adapter was trained.
  ///
  /// - Parameters:
  ///   - adapter: a PEFT folder, or a run that trained one.
  ///   - output: a folder that does not exist or is empty.
  ///   - type: of the saved weights.
  /// - Returns: what the user should know, as of ``addAdapters(_:)``, and the rounding error relative to the
  ///   adapter's change.
  public func merge(_ adapter: String, to output: String, type: DType = .float32) throws -> [String] {
    if pathExists(output), try !isFolder(output) || !folderEntries(output).isEmpty {
      throw ModelFolderError(file: output, problem: "already exists: choose another folder")
    }
    var notes = try addAdapters([adapter])
    if type != .float32 {
      let share = model.roundingShare(ofMerging: adapter, in: type)
      notes.append(
        "rounding to \(type) changes the merged layers by \(significant(100 * share, digits: 2)) % of the adapter's change"
          + (share > 0.5 ? ", which is lost in it: save them in float32" : ""))
    }
    try model.mergeAdapter(adapter)
    let merged = templated(try AdapterRun(adapter)?.chatTemplate)
    try AtomicFolder.write(to: output) { try merged.save(to: $0, type: type) }
    return notes
  }
}

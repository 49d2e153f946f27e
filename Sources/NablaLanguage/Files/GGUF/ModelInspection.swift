import NablaFormats
import NablaNN
import NablaTensor

/// The contents of model files, without reading their weights.
public struct ModelInspection {
  public struct TensorInfo: Sendable {
    public let name: String
    /// The format's name for it: "Q4_K", "BF16".
    public let type: String
    public let shape: [Int]
    public let byteCount: Int
    public var parameterCount: Int { shape.reduce(1, *) }
  }

  public let path: String
  /// The format and its version.
  public let format: String
  /// The family of models, if the files name one.
  public let architecture: String?
  /// Nil for tensors without a model, and for models that Nabla does not run.
  public let configuration: TransformerConfiguration?
  /// Why there is no configuration.
  public let problem: String?
  /// The files' metadata, as human-readable values; long ones are shortened.
  public let metadata: [(key: String, value: String)]
  public let tensors: [TensorInfo]

  public var parameterCount: Int { tensors.reduce(0) { $0 + $1.parameterCount } }
  public var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }

  /// How much of the model each type takes, the largest first.
  public var types: [(type: String, tensors: Int, byteCount: Int)] {
    var sums: [String: (tensors: Int, byteCount: Int)] = [:]
    for tensor in tensors {
      sums[tensor.type, default: (0, 0)].tensors += 1
      sums[tensor.type]!.byteCount += tensor.byteCount
    }
    return sums.map { ($0.key, $0.value.tensors, $0.value.byteCount) }
      .sorted { ($0.byteCount, $1.type) > ($1.byteCount, $0.type) }
  }

  /// - Parameter path: a GGUF or safetensors file, a Hugging Face folder, or a training run.
  /// - Throws: an error that names the file and what is wrong with it.
  public init(path: String) throws {
    let path = try GGUFFile.path(meantBy: path)
    self.path = path
    if try GGUFFile.isGGUF(path) {
      let file = try GGUFFile(path: path)
      format = "GGUF version \(file.version)"
      architecture = file.metadata["general.architecture"]?.string
      (configuration, problem) = Self.attempt { try GGUFModel(file).configuration }
      metadata = file.metadata.members.map { ($0.key, $0.value.description) }
      tensors = file.entries.map {
        TensorInfo(name: $0.name, type: $0.type.name, shape: $0.shape, byteCount: $0.byteRange.count)
      }
      return
    }
    let isFile = !isFolder(path + "/.") && pathExists(path)
    let folder = isFile ? path : try ModelFolder.path(of: path)
    let files = try SafetensorsModel(path: folder)
    tensors = files.files.flatMap(\.entries).map {
      TensorInfo(name: $0.name, type: $0.dtype.rawValue, shape: $0.shape, byteCount: $0.byteRange.count)
    }
    if isFile {
      format = "safetensors"
      (architecture, configuration, problem) = (nil, nil, "one file of tensors: its folder's config.json says more")
      metadata = files.files[0].metadata.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    } else {
      format = files.files.count == 1 ? "Hugging Face folder" : "Hugging Face folder of \(files.files.count) shards"
      let file = "\(folder)/config.json"
      let config = try JSONValue(contentsOfFile: file)
      architecture = config["model_type"]?.string
      (configuration, problem) = Self.attempt {
        let configuration = try Architecture.read(config, file: file).1
        try configuration.validate(file: file)
        return configuration
      }
      metadata = (config.object?.members ?? []).map { ($0.key, $0.value.serialized()) }
    }
  }

  private static func attempt(
    _ configuration: () throws -> TransformerConfiguration
  ) -> (TransformerConfiguration?, String?) {
    do { return (try configuration(), nil) } catch { return (nil, "\(error)") }
  }
}

/// Memory of the keys and values of earlier positions: for each layer and key/value head, a key and a value of
/// D numbers per position.
public struct KeyValueCacheSize: Sendable, Equatable {
  /// G: one per query head in multi-head attention, a single one in multi-query, in between in grouped-query.
  public let keyValueHeadCount: Int
  /// 2 · layers · G · D · bytes of a number.
  public let bytesPerToken: Int

  /// - Parameters:
  ///   - c: the model's layers, heads and head size.
  ///   - keyValueHeadCount: nil for the model's own.
  ///   - bytesPerNumber: 2 in bfloat16.
  public init(_ c: TransformerConfiguration, keyValueHeadCount: Int? = nil, bytesPerNumber: Int = 2) {
    self.keyValueHeadCount = keyValueHeadCount ?? c.keyValueHeadCount
    // Sizes come from files.
    bytesPerToken = [c.layerCount, self.keyValueHeadCount, c.headSize, bytesPerNumber].reduce(2, saturatingProduct)
  }

  /// - Parameter context: cached positions.
  /// - Returns: `Int.max` where there are more bytes.
  public func bytes(at context: Int) -> Int { saturatingProduct(bytesPerToken, context) }

  /// "multi-head", "grouped-query" or "multi-query", for a model with this many query heads.
  public func kind(of headCount: Int) -> String {
    keyValueHeadCount == headCount ? "multi-head" : keyValueHeadCount == 1 ? "multi-query" : "grouped-query"
  }
}

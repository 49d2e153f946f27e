import NablaFormats
import NablaNN
import NablaTensor

/// A model in files, whose parameters are read one at a time under the names that `TransformerLM` gives them.
struct ModelSource {
  let configuration: TransformerConfiguration
  /// The family of its folder, existing or to be written.
  let architecture: Architecture
  let parameters: [String]
  /// The type that a parameter is stored in.
  let type: (_ parameter: String) throws -> GGMLType
  let tensor: (_ parameter: String) throws -> Tensor

  /// The parameters of a GGUF model, whose names and shapes it has checked.
  init(_ gguf: GGUFModel) {
    configuration = gguf.configuration
    architecture = Architecture(of: gguf.configuration)
    parameters = gguf.parameterNames
    type = { try gguf.entry($0).type }
    tensor = { try gguf.tensor($0) }
  }

  /// Those of a Hugging Face folder.
  ///
  /// - Throws: an error that names the file, and a tensor that is unknown or has the wrong shape.
  init(folder: String) throws {
    let path = "\(folder)/config.json"
    let (architecture, c) = try Architecture.read(try JSONValue(contentsOfFile: path), file: path)
    try c.validate(file: path)
    self.architecture = architecture
    configuration = c
    let files = try SafetensorsModel(path: folder)
    let weights = "\(folder)/\(ModelFolder.weightsName)"
    var shapes: [String: [Int]] = [:]
    if architecture == .gpt2 || architecture == .nabla {
      // GPT-2 stores matrices transposed, and queries, keys and values fused: it is small enough to be read whole.
      let state = try architecture.imported(files.tensors(), c)
      parameters = state.keys.sorted()
      shapes = state.mapValues { Array($0.shape) }
      type = { _ in .f32 }
      tensor = { state[$0]! }
    } else {
      parameters = files.names.filter {
        !$0.hasSuffix(".rotary_emb.inv_freq") && !($0 == "lm_head.weight" && c.tieEmbeddings)
      }
      func find(_ name: String) throws -> (file: SafetensorsFile, entry: SafetensorsFile.Entry) {
        guard let found = files.find(name) else {
          throw ModelFolderError(file: weights, problem: "no tensor \(name)")
        }
        return found
      }
      for name in parameters { shapes[name] = try find(name).entry.shape }
      type = { name in
        let (file, entry) = try find(name)
        guard let dtype = DType(entry.dtype), dtype.isFloatingPoint, let type = GGMLType(dtype) else {
          throw ModelFolderError(
            file: file.path, problem: "tensor \(name): the type \(entry.dtype.rawValue) is not supported")
        }
        return type
      }
      tensor = { try find($0).file.tensor($0) }
    }
    var problems: [String] = []
    for name in parameters {
      let isParameter = (name.hasPrefix("model.") || name == "lm_head.weight") && name.split(separator: ".").count > 1
      if !isParameter {
        problems.append("unknown tensor \(name)")
      } else if shapes[name] != c.shape(of: name) {
        problems.append("\(name) has the shape \(shapes[name] ?? []), not \(c.shape(of: name))")
      }
    }
    if !problems.isEmpty { throw ModelFolderError(file: weights, problem: StateError(problems: problems).description) }
  }
}

/// Writes a tensor's rows in another type, some at a time, so that an upcast copy of the whole never exists.
func writeRows(of tensor: Tensor, as dtype: DType, to writer: FileWriter) throws {
  func write(_ part: Tensor) throws {
    try withExtendedLifetime(part) {
      try writer.write(UnsafeRawBufferPointer(start: part.pointer, count: part.dtype.byteCount(of: part.count)))
    }
  }
  guard tensor.dtype != dtype, tensor.rank > 0 else { return try write(tensor.cast(dtype)) }
  let width = max(tensor.count / max(tensor.shape[0], 1), 1)
  let rows = max((1 << 22) / width, 1)
  for first in stride(from: 0, to: tensor.shape[0], by: rows) {
    try write(tensor[first..<min(first + rows, tensor.shape[0])].cast(.float32).cast(dtype))
  }
}

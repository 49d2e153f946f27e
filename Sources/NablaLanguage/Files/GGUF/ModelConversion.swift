import NablaFormats
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

/// Conversion of a model between file formats and weight types: GGUF files and Hugging Face folders, in any direction.
///
/// Tensors are converted one at a time, with a few million elements in memory, so that a model of any size can be
/// converted.
public struct ModelConversion {
  /// The GGUF file, or the folder with the model.
  public let input: String
  public let output: String
  /// The type of the weights; nil to keep their type (in a folder, which has no block types, float32).
  public let type: GGMLType?

  /// - Parameters:
  ///   - input: a GGUF file, a Hugging Face folder, or a training run.
  ///   - output: a path that does not exist; a GGUF file if it ends in ".gguf", otherwise a folder.
  ///   - type: of the weights; nil keeps those of the input in a GGUF file, and is float32 in a folder.
  /// - Throws: an error if the input is not a model, if the output exists, or does not support the type.
  public init(from input: String, to output: String, type: GGMLType? = nil) throws {
    let meant = try GGUFFile.path(meantBy: input)
    self.input = try GGUFFile.isGGUF(meant) ? meant : ModelFolder.path(of: meant)
    (self.output, self.type) = (output, type)
    if output.isEmpty {
      throw ModelFolderError(file: input, problem: "cannot be converted to an output without a name")
    }
    if output.lowercased().hasSuffix(".safetensors") {
      throw ModelFolderError(
        file: output, problem: "a Hugging Face model is a folder: give the folder's name, without a weights file")
    }
    // A dangling link exists, too.
    guard FileKind(output, followingLinks: false) == .absent else {
      throw ModelFolderError(file: output, problem: "already exists; choose another name, or remove it first")
    }
    if let type, !writesGGUF, ![.f32, .f16, .bf16].contains(type) {
      throw ModelFolderError(
        file: output,
        problem:
          "a Hugging Face folder stores weights as f32, f16 or bf16, not \(type.name); for that, end the name in .gguf")
    }
  }

  /// The types that weights can be stored in.
  public static var types: [GGMLType] { QuantizationRule.types }

  var writesGGUF: Bool { output.lowercased().hasSuffix(".gguf") }

  /// - Parameter progress: called before each tensor with how many are done, how many there are, and its name. An error
  ///   that it throws ends the conversion, and the partial output is removed.
  /// - Returns: Notes for the user: tensors in another type than requested, a missing tokenizer.
  @discardableResult
  public func run(
    progress: @escaping (_ done: Int, _ total: Int, _ tensor: String) throws -> Void = { _, _, _ in }
  ) throws -> [String] {
    let best = try BestModel.read(in: input)?.note.map { [$0] } ?? []
    return try best + convert(progress)
  }

  private func convert(_ progress: @escaping Progress) throws -> [String] {
    switch (try GGUFFile.isGGUF(input), writesGGUF) {
    case (true, true): return try requantize(try GGUFFile(path: input), progress)
    case (false, true): return try writeGGUF(try ModelSource(folder: input), progress)
    case (true, false):
      let gguf = try GGUFModel(path: input)
      try writeFolder(
        ModelSource(gguf), PretrainedTokenizer(gguf.file.metadata), GenerationDefaults(gguf.file.metadata), progress)
      return []
    case (false, false):
      try writeFolder(try ModelSource(folder: input), nil, nil, progress)
      let hasTokenizer = pathExists("\(input)/\(TokenizerFolder.fileName)")
      return hasTokenizer ? [] : ["\(input) has no \(TokenizerFolder.fileName), so \(output) has no tokenizer either"]
    }
  }

  typealias Progress = (Int, Int, String) throws -> Void

  private func rule(tiesEmbeddings: Bool) -> QuantizationRule? {
    type.map { QuantizationRule(type: $0, tiesEmbeddings: tiesEmbeddings) }
  }

  // MARK: GGUF to GGUF: any architecture, as nothing but types changes

  private func requantize(_ file: GGUFFile, _ progress: @escaping Progress) throws -> [String] {
    var metadata = file.metadata
    try metadata.requireWhole()
    let rule = rule(tiesEmbeddings: !file.contains("output.weight"))
    rule?.describe(in: &metadata)
    let tensors = try file.entries.enumerated().map { index, entry in
      let isCounting = [.i8, .i16, .i32, .i64].contains(entry.type)  // tables, not weights
      let type = isCounting ? entry.type : rule?.type(of: entry.name, shape: entry.shape) ?? entry.type
      // Read now, so that an unsupported type is an error before anything is written.
      let tensor = type == entry.type ? nil : try file.tensor(entry.name)
      return GGUFTensor(name: entry.name, shape: entry.shape, type: type) { writer in
        try progress(index, file.entries.count, entry.name)
        guard let tensor else { return try file.withBytes(of: entry) { try writer.write($0) } }
        try writeRows(of: tensor, as: DType(type)!, to: writer)
      }
    }
    try GGUFFile.write(tensors, metadata: metadata, to: output)
    return rule?.notes(on: tensors) ?? []
  }

  // MARK: To GGUF

  private func writeGGUF(_ source: ModelSource, _ progress: @escaping Progress) throws -> [String] {
    let c = source.configuration
    guard let architecture = GGUFArchitecture(source.architecture) else {
      throw ModelFolderError(
        file: "\(input)/config.json",
        problem: "GGUF has no name for a model of this architecture; llama, mistral, qwen2, "
          + "qwen3 and gpt2 can be written")
    }
    guard c.firstWindowLayer == nil else {
      throw ModelFolderError(
        file: "\(input)/config.json", problem: "GGUF cannot express that only some layers have a sliding window")
    }
    let rule = rule(tiesEmbeddings: c.tieEmbeddings)
    var metadata = try architecture.metadata(c)
    metadata["general.name"] = .string(input.split(separator: "/").last.map(String.init) ?? "model")
    rule?.describe(in: &metadata)
    let lost = try writeTokenizer(of: c, to: &metadata)
    try GenerationDefaults(folder: input, vocabularySize: c.vocabularySize).write(to: &metadata)

    let maps = GGUFTensorMap.all(architecture, c)
    let held = Set(source.parameters)
    let wanted = Set(maps.flatMap(\.parameters))
    if let unknown = held.subtracting(wanted).sorted().first {
      throw ModelFolderError(file: input, problem: "the tensor \(unknown) has no counterpart in a GGUF file")
    }
    var tensors = try maps.enumerated().map { index, map in
      var shape = c.shape(of: map.parameters[0])
      shape[0] *= map.parameters.count
      let stored = try held.contains(map.parameters[0]) ? source.type(map.parameters[0]) : .f32
      let kept = shape.count == 1 ? .f32 : stored
      let type = rule?.type(of: map.name, shape: shape) ?? kept
      return GGUFTensor(name: map.name, shape: shape, type: type) { writer in
        try progress(index, maps.count, map.name)
        for parameter in map.parameters {
          // A GPT-2 without biases is one whose biases are 0.
          var tensor =
            parameter.hasSuffix(".bias") && !held.contains(parameter)
            ? Tensor.zeros(Shape(c.shape(of: parameter))) : try source.tensor(parameter)
          if let heads = map.interleavedHeads { tensor = tensor.interleavingPairs(heads: heads) }
          try writeRows(of: tensor, as: DType(type)!, to: writer)
        }
      }
    }
    tensors = GGUFArchitecture.factorTensors(c) + tensors
    try GGUFFile.write(tensors, metadata: metadata, to: output)
    var notes = lost + (rule?.notes(on: tensors) ?? [])
    if let window = c.window, window < c.context {
      notes.append(
        "the model has a sliding window of \(window) tokens; llama.cpp ignores it in a file of this kind, and "
          + "gives different results for longer texts")
    }
    return notes
  }

  /// - Returns: What the file cannot represent.
  private func writeTokenizer(of c: TransformerConfiguration, to metadata: inout GGUFMetadata) throws -> [String] {
    let text = try PretrainedTokenizer.load(input)
      .ending(also: GenerationDefaults(folder: input, vocabularySize: c.vocabularySize).endTokens)
    try text.checkVocabulary(of: c, path: input)
    let lost = try text.write(to: &metadata, vocabularySize: c.vocabularySize)
    // The model's files may specify what the tokenizer's do not.
    let config = try JSONValue(contentsOfFile: "\(input)/config.json")
    for role in ["bos_token_id", "eos_token_id"] where metadata["tokenizer.ggml.\(role)"] == nil {
      let id = config[role]?.integer ?? config[role]?.array?.first?.integer
      if let id, (0..<c.vocabularySize).contains(id) { metadata["tokenizer.ggml.\(role)"] = .uint32(UInt32(id)) }
    }
    return lost
  }
}

extension QuantizationRule {
  /// Tells readers the predominant type of the file.
  func describe(in metadata: inout GGUFMetadata) {
    if let fileType { metadata["general.file_type"] = .uint32(fileType) }
    if type.block.elements > 1 { metadata["general.quantization_version"] = .uint32(2) }
  }
}

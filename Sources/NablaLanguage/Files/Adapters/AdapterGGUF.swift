import NablaFormats
import NablaNN
import NablaTensor

extension AdapterFolder {
  /// Writes an adapter as a GGUF file, which llama.cpp loads with a GGUF file of the base (`--lora`).
  ///
  /// - Throws: `ModelFolderError` if the format cannot represent it: DoRA, architectures other than Llama, Mistral
  ///   and Qwen, layers outside the blocks.
  public static func writeGGUF(_ name: String = "default", of model: TransformerLM, to path: String) throws {
    func failure(_ problem: String) -> ModelFolderError { ModelFolderError(file: path, problem: problem) }
    let layers = model.adapter(name)
    guard let first = layers.first?.adapter else {
      throw AdapterError.unknown(name: name, known: model.adapterNames)
    }
    let c = model.configuration
    guard let architecture = GGUFArchitecture(Architecture(of: c)), architecture != .gpt2 else {
      throw failure("GGUF does not support adapters of this architecture")
    }
    let maps = Dictionary(
      uniqueKeysWithValues: GGUFTensorMap.all(architecture, c).compactMap { map in
        map.parameters.count == 1 ? (map.parameters[0], map) : nil
      })
    let rank = first.factors.down.shape[0]
    var tensors: [GGUFTensor] = []
    func add(_ name: String, _ tensor: Tensor) {
      let values = tensor.cast(.float32)
      tensors.append(
        GGUFTensor(name: name, shape: Array(values.shape), type: .f32) { writer in
          try writeRows(of: values, as: .float32, to: writer)
        })
    }
    for (layer, adapter) in layers {
      guard adapter.magnitude == nil else {
        throw failure("llama.cpp does not support adapters with learned magnitudes (DoRA)")
      }
      guard let map = maps["\(layer).weight"] else { throw failure("the layer \(layer) has no name in GGUF") }
      let (down, up) = withoutGradient { adapter.factors }
      // The file has one α, and scales each layer by α over its own rank.
      guard adapter.scale * Float(down.shape[0]) == first.scale * Float(rank) else {
        throw failure("layers have different scales, which GGUF does not support")
      }
      add("\(map.name).lora_a", down)
      add("\(map.name).lora_b", map.interleavedHeads.map { up.copy().interleavingPairs(heads: $0) } ?? up)
    }
    var metadata = GGUFMetadata(file: path)
    metadata["general.architecture"] = .string(architecture.rawValue)
    metadata["general.type"] = .string("adapter")
    metadata["adapter.type"] = .string("lora")
    metadata["adapter.lora.alpha"] = .float32(first.scale * Float(rank))
    try GGUFFile.write(tensors, metadata: metadata, to: path)
  }
}

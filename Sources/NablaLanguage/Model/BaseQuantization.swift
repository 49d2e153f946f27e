import NablaNN
import NablaTensor
import NablaTraining

/// The type of the layers of a frozen base model while an adapter is trained.
public enum BaseQuantization: String, Codable, SettingValue, CaseIterable {
  /// As in the model's files.
  case none
  /// 4 bits with double quantization (QLoRA).
  case nf4
  case q8_0

  var type: DType? {
    switch self {
    case .none: nil
    case .nf4: .nf4
    case .q8_0: .q8_0
    }
  }
}

extension TransformerLM {
  /// Converts every linear layer of the blocks to another type; embeddings, norms and the output layer are unchanged.
  ///
  /// - Throws: `ConfigurationError` if a layer's rows are not whole blocks of the type; then nothing changes.
  public func quantizeLayers(_ quantization: BaseQuantization) throws(ConfigurationError) {
    guard let type = quantization.type else { return }
    let layers = namedModules().compactMap { path, module in
      path == "lm_head" ? nil : (module as? Linear).map { (path, $0) }
    }
    for (path, layer) in layers where layer.inputs % type.blockSize != 0 {
      throw ConfigurationError(
        "\(setting: "quantize"): rows of \(layer.inputs) numbers (\(path)) are not whole blocks of \(type.blockSize)")
    }
    for (_, layer) in layers { layer.weight = layer.weight.cast(.float32).cast(type) }
  }
}

import NablaNN
import NablaTensor
import NablaTraining

/// The type that the layers of a frozen base are kept in while an adapter is trained beside it.
public enum BaseQuantization: String, Codable, SettingValue, CaseIterable {
  /// As the model's files have them.
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
  /// Puts every linear layer of the blocks into another type; embeddings, norms and the output layer stay as they are.
  ///
  /// - Throws: `ConfigurationError` where a layer's rows are no whole blocks of the type; then nothing changes.
  public func quantizeLayers(_ quantization: BaseQuantization) throws(ConfigurationError) {
    guard let type = quantization.type else { return }
    let layers = namedModules().compactMap { path, module in
      path == "lm_head" ? nil : (module as? Linear).map { (path, $0) }
    }
    for (path, layer) in layers where layer.inputs % type.blockSize != 0 {
      throw ConfigurationError(
        "\(setting: "quantize"): rows of \(layer.inputs) numbers (\(path)) are no whole blocks of \(type.blockSize)")
    }
    for (_, layer) in layers { layer.weight = layer.weight.cast(.float32).cast(type) }
  }
}

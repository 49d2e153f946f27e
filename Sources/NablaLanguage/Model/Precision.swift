import NablaNN
import NablaTensor
import NablaTraining

/// The type of matrix multiplications.
public enum Precision: String, Codable, SettingValue, CaseIterable {
  /// bfloat16 if the CPU supports it (AMX or AVX512-BF16), otherwise float32. A model with block-quantized weights uses
  /// bfloat16 on every CPU: its matrix multiplications then use integer arithmetic, on the packed weights.
  case automatic = "auto"
  /// float32 arithmetic, also for block-quantized weights, which are dequantized as they are read.
  case float32
  case bfloat16

  /// The type of matrix multiplications on this machine.
  public var computeType: DType {
    switch self {
    case .automatic: hasFastBFloat16 ? .bfloat16 : .float32
    case .float32: .float32
    case .bfloat16: .bfloat16
    }
  }

  /// The type of matrix multiplications of a model with these weights.
  func computeType(for model: TransformerLM) -> DType {
    guard self == .automatic, model.parameters().contains(where: { $0.value.dtype.isQuantized }) else {
      return computeType
    }
    return .bfloat16
  }
}

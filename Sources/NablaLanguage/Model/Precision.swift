import NablaNN
import NablaTensor
import NablaTraining

/// The type products run in.
public enum Precision: String, Codable, SettingValue, CaseIterable {
  /// bfloat16 where the CPU computes in it (AMX or AVX512-BF16), else float32. A model with block-quantized weights takes
  /// bfloat16 on every CPU: its products then run in integers, from the packed weights.
  case automatic = "auto"
  /// Exact, from block-quantized weights too, which are widened as they are read.
  case float32
  case bfloat16

  /// The type this machine's products run in.
  public var computeType: DType {
    switch self {
    case .automatic: hasFastBFloat16 ? .bfloat16 : .float32
    case .float32: .float32
    case .bfloat16: .bfloat16
    }
  }

  /// The type that the products of a model with these weights run in.
  func computeType(for model: TransformerLM) -> DType {
    guard self == .automatic, model.parameters().contains(where: { $0.value.dtype.isQuantized }) else {
      return computeType
    }
    return .bfloat16
  }
}

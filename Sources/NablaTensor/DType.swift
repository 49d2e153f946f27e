/// The type of a tensor's elements.
public enum DType: String, Sendable, Hashable, Codable, CaseIterable {
  case float32, bfloat16, float16, float64, int32, uint8
  /// Block-quantized: ggml's formats, row by row, as in a GGUF file (see `Quantization.swift`).
  case q4_0, q4_1, q5_0, q5_1, q8_0, q2_K, q3_K, q4_K, q5_K, q6_K
  /// Block-quantized with separate scales: the type that QLoRA trains through (see `NF4.swift`).
  case nf4

  /// The types with individual elements.
  public static let elementTypes = allCases.filter { !$0.isQuantized }
  /// ggml's types, which hold elements in blocks.
  public static let quantizedTypes = allCases.filter { $0.isQuantized && $0 != .nf4 }

  /// Bytes of one element. A block-quantized type has no such number: see `byteCount(of:)`.
  public var size: Int {
    switch self {
    case .uint8: 1
    case .bfloat16, .float16: 2
    case .float32, .int32: 4
    case .float64: 8
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .nf4:
      preconditionFailure("an operation that works on single elements was given a \(self) tensor: use cast(.float32)")
    }
  }

  public var isFloatingPoint: Bool {
    switch self {
    case .float32, .bfloat16, .float16, .float64: true
    default: false
    }
  }
}

/// A Swift type that a tensor can be made from and read as.
public protocol TensorElement: Sendable {
  static var dtype: DType { get }
}

extension Float: TensorElement { public static var dtype: DType { .float32 } }
extension Double: TensorElement { public static var dtype: DType { .float64 } }
extension Int32: TensorElement { public static var dtype: DType { .int32 } }
extension UInt8: TensorElement { public static var dtype: DType { .uint8 } }

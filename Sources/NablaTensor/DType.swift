/// The type of a tensor's elements.
public enum DType: String, Sendable, Hashable, Codable, CaseIterable {
  case float32, bfloat16, float16, float64, int32, uint8

  /// Bytes of one element.
  public var size: Int {
    switch self {
    case .uint8: 1
    case .bfloat16, .float16: 2
    case .float32, .int32: 4
    case .float64: 8
    }
  }

  public var isFloatingPoint: Bool {
    switch self {
    case .float32, .bfloat16, .float16, .float64: true
    case .int32, .uint8: false
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

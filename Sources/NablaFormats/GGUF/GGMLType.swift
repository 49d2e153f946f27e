/// How a GGUF file stores the elements of a tensor: plain numbers, or blocks of quantized weights that share scales.
/// Raw values are those in the file (`ggml.h`, `enum ggml_type`); 4, 5 and others that are missing were withdrawn.
public enum GGMLType: UInt32, Sendable, CaseIterable {
  case f32 = 0
  case f16 = 1
  case q4_0 = 2
  case q4_1 = 3
  case q5_0 = 6
  case q5_1 = 7
  case q8_0 = 8
  case q8_1 = 9
  case q2_K = 10
  case q3_K = 11
  case q4_K = 12
  case q5_K = 13
  case q6_K = 14
  case q8_K = 15
  case iq2_xxs = 16
  case iq2_xs = 17
  case iq3_xxs = 18
  case iq1_s = 19
  case iq4_nl = 20
  case iq3_s = 21
  case iq2_s = 22
  case iq4_xs = 23
  case i8 = 24
  case i16 = 25
  case i32 = 26
  case i64 = 27
  case f64 = 28
  case iq1_m = 29
  case bf16 = 30
  case tq1_0 = 34
  case tq2_0 = 35
  case mxfp4 = 39
  case nvfp4 = 40
  case q1_0 = 41
  case q2_0 = 42

  /// The name llama.cpp prints: "Q4_K", "F32".
  public var name: String { "\(self)".uppercased() }

  /// Elements in a block, and its bytes; 1 element for plain numbers. A row holds whole blocks.
  public var block: (elements: Int, bytes: Int) {
    switch self {
    case .i8: (1, 1)
    case .f16, .bf16, .i16: (1, 2)
    case .f32, .i32: (1, 4)
    case .f64, .i64: (1, 8)
    case .q4_0, .iq4_nl: (32, 18)
    case .q4_1: (32, 20)
    case .q5_0: (32, 22)
    case .q5_1: (32, 24)
    case .q8_0: (32, 34)
    case .q8_1: (32, 36)
    case .mxfp4: (32, 17)
    case .nvfp4: (64, 36)
    case .q2_0: (64, 18)
    case .q1_0: (128, 18)
    case .q2_K: (256, 84)
    case .q3_K: (256, 110)
    case .q4_K: (256, 144)
    case .q5_K: (256, 176)
    case .q6_K: (256, 210)
    case .q8_K: (256, 292)
    case .iq2_xxs: (256, 66)
    case .iq2_xs: (256, 74)
    case .iq3_xxs: (256, 98)
    case .iq1_s: (256, 50)
    case .iq3_s: (256, 110)
    case .iq2_s: (256, 82)
    case .iq4_xs: (256, 136)
    case .iq1_m: (256, 56)
    case .tq1_0: (256, 54)
    case .tq2_0: (256, 66)
    }
  }

  /// The bytes of a tensor of this type; nil when they overflow, a dimension is negative, or the rows (the last
  /// dimension) do not hold whole blocks.
  public func byteCount(shape: [Int]) -> Int? {
    let block = block
    guard (shape.last ?? 1) % block.elements == 0 else { return nil }
    var elements = 1
    for dimension in shape {
      let (product, overflow) = elements.multipliedReportingOverflow(by: dimension)
      if overflow || dimension < 0 { return nil }
      elements = product
    }
    let (bytes, overflow) = (elements / block.elements).multipliedReportingOverflow(by: block.bytes)
    return overflow ? nil : bytes
  }
}

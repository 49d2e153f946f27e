import NablaFormats

/// Which type each tensor of a GGUF file is written in, as `llama-quantize` decides (without its mixtures, such as
/// Q4_K_M, in which some layers get more bits).
package struct QuantizationRule {
  /// What was asked for.
  package let type: GGMLType
  /// Whether the embedding is the output layer too.
  package let tiesEmbeddings: Bool

  package init(type: GGMLType, tiesEmbeddings: Bool) {
    self.type = type
    self.tiesEmbeddings = tiesEmbeddings
  }

  /// Types that a file can be converted to.
  static let types: [GGMLType] = [.f32, .f16, .bf16, .q8_0, .q6_K, .q5_1, .q5_0, .q4_K, .q4_1, .q4_0]

  /// - Parameter name: the tensor's name in the file.
  package func type(of name: String, shape: [Int]) -> GGMLType {
    // Vectors and positions are small, and precision matters there.
    guard shape.count >= 2, name.hasSuffix(".weight"), !name.contains("_norm."), name != "position_embd.weight" else {
      return .f32
    }
    guard type.block.elements > 1 else { return type }
    let columns = shape[shape.count - 1]
    func fits(_ type: GGMLType) -> Bool { columns % type.block.elements == 0 }
    var chosen = type
    // The output layer decides between tokens: it gets more bits.
    if name == "output.weight" || (tiesEmbeddings && name == "token_embd.weight"), type != .q8_0 {
      chosen = fits(type) ? .q6_K : .q8_0
    }
    if fits(chosen) { return chosen }
    // Rows that are no multiple of 256 take the nearest type with blocks of 32.
    switch chosen {
    case .q4_K: chosen = .q5_0
    case .q5_K: chosen = .q5_1
    case .q6_K: chosen = .q8_0
    default: break
    }
    return fits(chosen) ? chosen : .f16
  }

  /// The number in `general.file_type`: `enum llama_ftype` of llama.cpp.
  var fileType: UInt32? {
    switch type {
    case .f32: 0
    case .f16: 1
    case .q4_0: 2
    case .q4_1: 3
    case .q8_0: 7
    case .q5_0: 8
    case .q5_1: 9
    case .q4_K: 14  // Q4_K_S
    case .q6_K: 18
    case .bf16: 32
    default: nil
    }
  }
}

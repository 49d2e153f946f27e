import NablaFormats

/// The type of each tensor in a GGUF file, by the rule of `llama-quantize` (without its mixtures, such as
/// Q4_K_M, in which some layers get more bits).
package struct QuantizationRule {
  /// The requested type.
  package let type: GGMLType
  /// Whether the embedding is also the output layer.
  package let tiesEmbeddings: Bool

  package init(type: GGMLType, tiesEmbeddings: Bool) {
    self.type = type
    self.tiesEmbeddings = tiesEmbeddings
  }

  /// Types that a file can be converted to.
  static let types: [GGMLType] = [.f32, .f16, .bf16, .q8_0, .q6_K, .q5_1, .q5_0, .q4_K, .q4_1, .q4_0]

  /// - Parameter name: the tensor's name in the file.
  package func type(of name: String, shape: [Int]) -> GGMLType {
    let wanted = wantedType(of: name, shape: shape)
    func fits(_ type: GGMLType) -> Bool { shape.last.map { $0 % type.block.elements == 0 } ?? true }
    if fits(wanted) { return wanted }
    // Rows that are not a multiple of 256 use the nearest type with blocks of 32.
    let smaller: GGMLType =
      switch wanted {
      case .q4_K: .q5_0
      case .q5_K: .q5_1
      case .q6_K: .q8_0
      default: wanted
      }
    return fits(smaller) ? smaller : .f16
  }

  /// The type of a tensor whose rows are whole blocks of every type.
  private func wantedType(of name: String, shape: [Int]) -> GGMLType {
    // Vectors and positions are small, and precision matters there.
    guard shape.count >= 2, name.hasSuffix(".weight"), !name.contains("_norm."), name != "position_embd.weight" else {
      return .f32
    }
    guard type.block.elements > 1, type != .q8_0 else { return type }
    // The output layer computes the logits: it gets more bits.
    let isOutput = name == "output.weight" || (tiesEmbeddings && name == "token_embd.weight")
    return isOutput ? .q6_K : type
  }

  /// Which tensors fell back to another type, because their rows are not whole blocks.
  func notes(on tensors: [GGUFTensor]) -> [String] {
    var groups: [(wanted: GGMLType, used: GGMLType, columns: Int, count: Int)] = []
    for tensor in tensors {
      let wanted = wantedType(of: tensor.name, shape: tensor.shape)
      // Tables that are not weights keep their type, whatever the rule.
      guard tensor.type == type(of: tensor.name, shape: tensor.shape), tensor.type != wanted else { continue }
      let columns = tensor.shape.last ?? 0
      if let i = groups.firstIndex(where: { ($0.wanted, $0.used, $0.columns) == (wanted, tensor.type, columns) }) {
        groups[i].count += 1
      } else {
        groups.append((wanted, tensor.type, columns, 1))
      }
    }
    return groups.map { group in
      "\(group.count) tensor\(group.count == 1 ? " is" : "s are") \(group.used.name) instead of \(group.wanted.name): rows of "
        + "\(group.columns) numbers are not divisible into its blocks of \(group.wanted.block.elements)"
    }
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

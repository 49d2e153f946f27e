import NablaFormats
import NablaNN
import NablaTensor

// Rotary scaling in GGUF files: keys of the metadata, and tensors of factors for Llama 3's and LongRoPE.
extension GGUFArchitecture {
  static let longFactors = "rope_factors_long.weight"
  static let shortFactors = "rope_factors_short.weight"
  static let factors = "rope_freqs.weight"
  /// Tensors that are no parameters.
  static let factorNames: Set<String> = [factors, longFactors, shortFactors]

  /// Keys that other families' loaders read, with the value that changes nothing.
  private static let unsupported: [(key: String, neutral: Double)] = [
    ("rope.scaling.yarn_log_multiplier", 0), ("rope.scaling.yarn_ext_factor", 1), ("rope.scaling.yarn_attn_factor", 1),
    ("rope.scaling.alpha", 0),
  ]

  /// - Throws: an error that names a key, or a tensor, that asks for what is not supported.
  func rotaryScaling(_ file: GGUFFile, _ c: TransformerConfiguration) throws -> RotaryScaling {
    let m = file.metadata
    for (name, neutral) in Self.unsupported where m.has(key(name)) {
      let value = try m.number(key(name))
      // A negative number means "as usual".
      guard value == neutral || value < 0 else {
        throw m.failure(
          key(name), .wrongValue(expected: "\(neutral), the only supported value", found: "\(value)"))
      }
    }
    let local = try m.number(key("rope.freq_base_swa"), default: c.rotaryBase)
    guard local == c.rotaryBase else {
      throw m.failure(
        key("rope.freq_base_swa"), .wrongValue(expected: "rope.freq_base, \(c.rotaryBase)", found: "\(local)"))
    }
    if m.has(key("rope.dimension_sections")) {
      throw m.failure(key("rope.dimension_sections"), .malformed("rotary positions in sections are not supported"))
    }
    if file.contains(Self.factors) {
      let factors = try file.tensor(Self.factors).array(of: Double.self)
      guard let scaling = llama3Scaling(dividing: factors, size: c.headSize, base: c.rotaryBase) else {
        throw GGUFError(
          file: file.path, subject: .tensor(Self.factors),
          kind: .malformed("its factors are not those of Llama 3's rotary scaling, the only supported kind"))
      }
      return scaling
    }
    // Files of 2023 have only the factor, under another name.
    let linear = try m.number(
      key("rope.scaling.factor"), default: m.number(key("rope.scale_linear"), default: 1))
    // Without a type a factor is linear; llama.cpp takes 0 as none.
    let kind = try m.string(key("rope.scaling.type"), default: linear == 1 || linear == 0 ? "none" : "linear")
    // llama.cpp multiplies the usual factor by its own.
    let attention = try m.number(key("rope.scaling.attn_factor"), default: 1)
    let original = try m.integer(key("rope.scaling.original_context_length"), default: c.context)
    if file.contains(Self.longFactors) || kind == "longrope" {
      return .longrope(
        shortFactors: try file.tensor(file.entry(Self.shortFactors).name).array(of: Double.self),
        longFactors: try file.tensor(file.entry(Self.longFactors).name).array(of: Double.self),
        originalContext: original, extendedContext: c.context, attentionFactor: attention)
    }
    switch kind {
    case "none": return .none
    case "linear":
      return linear == 1 || linear == 0 ? .none : .linear(factor: linear)
    case "yarn":
      let factor = try m.number(key("rope.scaling.factor"))
      return .yarn(
        factor: factor, betaFast: try m.number(key("rope.scaling.yarn_beta_fast"), default: 32),
        betaSlow: try m.number(key("rope.scaling.yarn_beta_slow"), default: 1), originalContext: original,
        attentionFactor: attention == 1 ? nil : attention * yarnAttentionFactor(factor))
    default:
      throw m.failure(
        key("rope.scaling.type"),
        .wrongValue(expected: "\"none\", \"linear\", \"yarn\" or \"longrope\"", found: String(reflecting: kind)))
    }
  }

  /// Adds the keys of a scaling.
  func write(_ scaling: RotaryScaling, of c: TransformerConfiguration, to m: inout GGUFMetadata) throws {
    func set(_ name: String, _ value: Double) { m[key("rope.scaling.\(name)")] = .float32(Float(value)) }
    func setOriginal(_ context: Int) {
      m[key("rope.scaling.original_context_length")] = .uint32(UInt32(clamping: context))
    }
    switch scaling {
    case .none, .llama3: break  // Llama 3's is a tensor
    case .dynamic: break  // It begins beyond the context.
    case .linear(let factor):
      m[key("rope.scaling.type")] = .string("linear")
      set("factor", factor)
    case .yarn(let factor, let fast, let slow, let context, let attentionFactor, let truncates):
      guard truncates != false else {
        throw ModelFolderError(
          file: m.file, problem: "\"truncate\": false of YaRN has no form in GGUF, whose readers always truncate")
      }
      m[key("rope.scaling.type")] = .string("yarn")
      set("factor", factor)
      setOriginal(context)
      set("yarn_beta_fast", fast)
      set("yarn_beta_slow", slow)
      if let attentionFactor { set("attn_factor", attentionFactor / yarnAttentionFactor(factor)) }
    case .longrope(_, _, let original, _, let attentionFactor):
      guard self == .llama else {
        throw ModelFolderError(file: m.file, problem: "LongRoPE has no form in GGUF files of \(rawValue) models")
      }
      m[key("rope.scaling.type")] = .string("longrope")
      // llama.cpp would divide positions by a factor too, besides the tensors'.
      setOriginal(original)
      set("attn_factor", attentionFactor)
    }
  }

  /// The tensors of factors of a configuration.
  static func factorTensors(_ c: TransformerConfiguration) -> [GGUFTensor] {
    func tensor(_ name: String, _ factors: [Double]) -> GGUFTensor {
      let floats = factors.map { Float($0) }
      return GGUFTensor(name: name, shape: [floats.count], type: .f32, bytes: floats.withUnsafeBytes(Array.init))
    }
    switch c.rotaryScaling {
    case .llama3: return [tensor(factors, llama3Factors(c.rotaryScaling, size: c.headSize, base: c.rotaryBase))]
    case .longrope(let short, let long, _, _, _): return [tensor(longFactors, long), tensor(shortFactors, short)]
    default: return []
    }
  }
}

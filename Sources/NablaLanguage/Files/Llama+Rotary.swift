import Glibc
import NablaFormats
import NablaNN

// The rotary fields of a `config.json`, as transformers reads and writes them (modeling_rope_utils.py).
extension Architecture {
  func readRotary(_ f: ConfigFields, into c: inout TransformerConfiguration) throws(ModelFolderError) {
    // transformers 5 keeps all of it in rope_parameters; earlier versions had rope_theta and rope_scaling, which counts
    // where a file has both.
    let rope = try f.fields(f.has("rope_scaling") ? "rope_scaling" : "rope_parameters")
    for fields in [f, rope].compactMap({ $0 }) {
      guard try fields.number("partial_rotary_factor", default: 1) == 1 else {
        throw ModelFolderError(file: fields.file, problem: "\"partial_rotary_factor\" other than 1 is not supported")
      }
    }
    c.rotaryBase = try (rope?.has("rope_theta") == true ? rope! : f).number("rope_theta", default: 10_000)
    guard let rope else { return }
    if let layers = rope.config.object?.members.first(where: { $0.value.object != nil }) {
      throw ModelFolderError(
        file: rope.file, problem: "rotary parameters of some layers (\"\(layers.key)\") are not supported")
    }
    let original = f.has("original_max_position_embeddings") ? f : rope
    c.rotaryScaling = try rotaryScaling(
      rope, c.context, original: original.integer("original_max_position_embeddings", default: c.context))
    // The short factors, which serve any text up to there, and not the long ones, which change shorter texts.
    if case .longrope(_, _, let original, _, _) = c.rotaryScaling { c.context = min(c.context, original) }
  }

  /// - Parameters:
  ///   - context: `max_position_embeddings`.
  ///   - original: the context that the model was trained with at first.
  private func rotaryScaling(
    _ f: ConfigFields, _ context: Int, original: Int
  ) throws(ModelFolderError) -> RotaryScaling {
    let type = try f.string(f.has("rope_type") ? "rope_type" : "type", default: "default")
    switch type {
    case "default", "mrope": return .none
    case "linear": return .linear(factor: try f.number("factor"))
    case "dynamic": return .dynamic(factor: try f.number("factor"))
    case "llama3":
      return .llama3(
        factor: try f.number("factor"), lowFrequencyFactor: try f.number("low_freq_factor"),
        highFrequencyFactor: try f.number("high_freq_factor"), originalContext: original)
    case "yarn":
      let factor = try f.number("factor", default: Double(context) / Double(max(original, 1)))
      return .yarn(
        factor: factor, betaFast: try f.nonZero("beta_fast") ?? 32, betaSlow: try f.nonZero("beta_slow") ?? 1,
        originalContext: original, attentionFactor: try yarnAttention(f, factor),
        truncates: try f.bool("truncate", default: true) ? nil : false)
    case "longrope":
      let factor = try f.number("factor", default: Double(context) / Double(max(original, 1)))
      let usual = factor <= 1 ? 1 : (1 + log(factor) / log(Double(original))).squareRoot()
      return .longrope(
        shortFactors: try f.numbers("short_factor"), longFactors: try f.numbers("long_factor"),
        originalContext: original, extendedContext: context,
        attentionFactor: try f.number("attention_factor", default: usual))
    default:
      throw ModelFolderError(file: f.file, problem: "rotary scaling of type \"\(type)\" is not supported")
    }
  }

  /// The factor that the fields give; nil for the usual one.
  private func yarnAttention(_ f: ConfigFields, _ factor: Double) throws(ModelFolderError) -> Double? {
    if f.has("attention_factor") { return try f.number("attention_factor") }
    guard let mscale = try f.nonZero("mscale"), let all = try f.nonZero("mscale_all_dim") else { return nil }
    return yarnAttentionFactor(factor, weight: mscale) / yarnAttentionFactor(factor, weight: all)
  }

  /// The fields of `rope_parameters`, without the base.
  func rotaryConfig(_ c: TransformerConfiguration) -> JSONObject {
    switch c.rotaryScaling {
    case .none:
      return JSONObject([("rope_type", "default")])
    case .linear(let factor):
      return JSONObject([("rope_type", "linear"), ("factor", .number(factor))])
    case .dynamic(let factor):
      return JSONObject([("rope_type", "dynamic"), ("factor", .number(factor))])
    case .llama3(let factor, let low, let high, let original):
      return JSONObject([
        ("rope_type", "llama3"), ("factor", .number(factor)), ("low_freq_factor", .number(low)),
        ("high_freq_factor", .number(high)), ("original_max_position_embeddings", .integer(original)),
      ])
    case .yarn(let factor, let fast, let slow, let original, let attention, let truncates):
      var rope = JSONObject([
        ("rope_type", "yarn"), ("factor", .number(factor)), ("beta_fast", .number(fast)), ("beta_slow", .number(slow)),
        ("original_max_position_embeddings", .integer(original)),
      ])
      rope["attention_factor"] = attention.map { .number($0) }
      rope["truncate"] = truncates.map { .bool($0) }
      return rope
    case .longrope(let short, let long, let original, let extended, let attention):
      return JSONObject([
        ("rope_type", "longrope"), ("factor", .number(Double(extended) / Double(original))),
        ("short_factor", .array(short.map { .number($0) })), ("long_factor", .array(long.map { .number($0) })),
        ("original_max_position_embeddings", .integer(original)), ("attention_factor", .number(attention)),
      ])
    }
  }
}

extension TransformerConfiguration {
  /// The longest context that the rotary scaling serves.
  var extendedContext: Int {
    if case .longrope(_, _, _, let extended, _) = rotaryScaling { extended } else { context }
  }
}

extension ConfigFields {
  /// Nil for none and for 0, which transformers takes for none.
  fileprivate func nonZero(_ name: String) throws(ModelFolderError) -> Double? {
    let value = try number(name, default: 0)
    return value == 0 ? nil : value
  }

  fileprivate func numbers(_ name: String) throws(ModelFolderError) -> [Double] {
    guard let list = config[name]?.array else {
      throw ModelFolderError(file: file, problem: "\"\(name)\" should be a list of numbers")
    }
    let numbers = list.compactMap(\.double).filter(\.isFinite)
    guard numbers.count == list.count else {
      throw ModelFolderError(file: file, problem: "\"\(name)\" should be a list of numbers")
    }
    return numbers
  }
}

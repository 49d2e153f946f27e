import NablaFormats
import NablaNN
import NablaTensor

/// The families of models in GGUF files that Nabla reads and writes; raw values are those of `general.architecture`.
///
/// Keys of the metadata: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#llm
enum GGUFArchitecture: String, CaseIterable {
  /// Llama, and Mistral, whose files also say llama.
  case llama
  case qwen2, qwen3, gpt2

  /// The family of a file.
  init(_ file: GGUFFile) throws {
    let metadata = file.metadata
    if let kind = metadata["general.type"]?.string, kind != "model" {
      throw metadata.failure("general.type", .wrongValue(expected: "\"model\"", found: String(reflecting: kind)))
    }
    if let count = metadata["split.count"]?.integer, count > 1 {
      throw metadata.failure(
        "split.count", .malformed("the model is split over \(count) files; merge them with llama-gguf-split --merge"))
    }
    let name = try metadata.string("general.architecture")
    guard let architecture = GGUFArchitecture(rawValue: name) else {
      let known = Self.allCases.map { String(reflecting: $0.rawValue) }.joined(separator: ", ")
      throw metadata.failure(
        "general.architecture", .wrongValue(expected: "one of \(known)", found: String(reflecting: name)))
    }
    self = architecture
  }

  /// The family that a model is written as; nil for those without a name in GGUF.
  init?(_ architecture: Architecture) {
    switch architecture {
    case .llama, .mistral: self = .llama
    case .qwen2: self = .qwen2
    case .qwen3: self = .qwen3
    case .gpt2: self = .gpt2
    case .nabla: return nil
    }
  }

  /// Whether llama.cpp rotates adjacent dimensions of a head (2i, 2i + 1), for which the rows of queries and keys
  /// are in a different order than in Hugging Face's files; the other families rotate (i, i + D/2) as those do.
  var interleavesHeads: Bool { self == .llama }

  private func key(_ name: String) -> String { "\(rawValue).\(name)" }
  private var epsilonKey: String {
    key(self == .gpt2 ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon")
  }
}

// MARK: Reading

extension GGUFArchitecture {
  func configuration(_ file: GGUFFile) throws -> TransformerConfiguration {
    let m = file.metadata
    func refuse(_ name: String, unless expected: Int) throws {
      guard let value = m[key(name)], value.integer != expected else { return }
      throw m.failure(key(name), .wrongValue(expected: "\(expected), the only supported value", found: "\(value)"))
    }
    let embedding = try file.entry("token_embd.weight")
    guard embedding.shape.count == 2 else {
      throw GGUFError(
        file: file.path, subject: .tensor(embedding.name), kind: .malformed("has shape \(embedding.shape)"))
    }
    let width = try m.integer(key("embedding_length"))
    let heads = try m.integer(key("attention.head_count"))
    var c = TransformerConfiguration(
      vocabularySize: embedding.shape[0], context: try m.integer(key("context_length")), width: width,
      layerCount: try m.integer(key("block_count")), headCount: heads,
      keyValueHeadCount: try m.integer(key("attention.head_count_kv"), default: heads),
      headSize: try m.integer(key("attention.key_length"), default: width / max(heads, 1)),
      feedForwardWidth: try m.integer(key("feed_forward_length")), feedForward: self == .gpt2 ? .gelu : .swiglu)
    try refuse("attention.value_length", unless: c.headSize)
    try refuse("expert_count", unless: 0)
    c.normEpsilon = Float(try m.number(epsilonKey))
    c.tieEmbeddings = !file.contains("output.weight")
    c.bias = self == .gpt2 || file.contains("blk.0.attn_output.bias")
    let hasProjectionBias = self == .gpt2 || file.contains("blk.0.attn_q.bias")
    if hasProjectionBias != c.bias { c.queryKeyValueBias = hasProjectionBias }
    let hasFeedForwardBias = self == .gpt2 || file.contains("blk.0.ffn_up.bias")
    if hasFeedForwardBias != c.bias { c.feedForwardBias = hasFeedForwardBias }
    if file.contains("blk.0.attn_q_norm.weight") { c.headNorm = .rms }
    if self == .gpt2 {
      (c.norm, c.positions) = (.layer, .learned)
    } else {
      try refuse("rope.dimension_count", unless: c.headSize)
      c.rotaryBase = try m.number(key("rope.freq_base"), default: 10_000)
      try c.validate(file: file.path)  //before a table of that size is allocated
      c.rotaryScaling = try rotaryScaling(file, c)
      if let window = m[key("attention.sliding_window")]?.integer, window > 0 { c.window = window }
    }
    try c.validate(file: file.path)
    return c
  }

  private func rotaryScaling(_ file: GGUFFile, _ c: TransformerConfiguration) throws -> RotaryScaling {
    let m = file.metadata
    if file.contains("rope_freqs.weight") {
      let factors = try file.tensor("rope_freqs.weight").array(of: Double.self)
      guard let scaling = llama3Scaling(dividing: factors, size: c.headSize, base: c.rotaryBase) else {
        throw GGUFError(
          file: file.path, subject: .tensor("rope_freqs.weight"),
          kind: .malformed("its factors are not those of Llama 3's rotary scaling, the only supported kind"))
      }
      return scaling
    }
    // Files of 2023 have only the factor, under another name.
    let linear = try m.number(key("rope.scale_linear"), default: 1)
    let kind = try m.string(key("rope.scaling.type"), default: linear == 1 ? "none" : "linear")
    switch kind {
    case "none": return .none
    case "linear":
      let factor = try m.number(key("rope.scaling.factor"), default: linear)
      return factor == 1 ? .none : .linear(factor: factor)
    case "yarn":
      let factor = try m.number(key("rope.scaling.factor"))
      // llama.cpp multiplies the usual factor by its own.
      let attention = try m.number(key("rope.scaling.attn_factor"), default: 1)
      return .yarn(
        factor: factor, betaFast: try m.number(key("rope.scaling.yarn_beta_fast"), default: 32),
        betaSlow: try m.number(key("rope.scaling.yarn_beta_slow"), default: 1),
        originalContext: try m.integer(key("rope.scaling.original_context_length"), default: c.context),
        attentionFactor: attention == 1
          ? nil
          : attention
            * rotaryFrequencies(
              size: c.headSize, base: c.rotaryBase,
              scaling: .yarn(
                factor: factor, betaFast: 32, betaSlow: 1, originalContext: c.context, attentionFactor: nil)
            ).scale)
    default:
      throw m.failure(
        key("rope.scaling.type"),
        .wrongValue(expected: "\"none\", \"linear\" or \"yarn\"", found: String(reflecting: kind)))
    }
  }
}

/// The factors that Llama 3's scaling divides each frequency by, which GGUF files store as `rope_freqs.weight`.
package func llama3Factors(_ scaling: RotaryScaling, size: Int, base: Double) -> [Double] {
  let plain = rotaryFrequencies(size: size, base: base).frequencies
  let scaled = rotaryFrequencies(size: size, base: base, scaling: scaling).frequencies
  return zip(plain, scaled).map { $0 / $1 }
}

/// A Llama 3 scaling that divides frequencies by these factors; nil if no settings do.
///
/// Between the factors 1 and F there is a ramp: with s = (1/f - 1/F) / (1 - 1/F), s = (context / λ - low) / (high -
/// low) for the wavelength λ. Multiplying context, low and high by one number changes nothing, and if the ramp has
/// fewer than two points many settings are equivalent: the usual ones are tried first.
package func llama3Scaling(dividing factors: [Double], size: Int, base: Double) -> RotaryScaling? {
  guard factors.count == size / 2, let factor = factors.max(), factor >= 1, factor.isFinite else { return nil }
  if factor == 1 { return factors.allSatisfy { $0 == 1 } ? RotaryScaling.none : nil }
  let wavelengths = rotaryFrequencies(size: size, base: base).frequencies.map { 2 * Double.pi / $0 }
  let full = 1 - 1 / factor
  // The factors may have been rounded to float32.
  var ramp: [(turns: Double, s: Double)] = []
  for (f, wavelength) in zip(factors, wavelengths) where f > 1 + 1e-6 && f < factor * (1 - 1e-6) {
    ramp.append((1 / wavelength, (1 / f - 1 / factor) / full))
  }
  /// Settings to try, with a low of 1.
  var candidates: [(high: Double, context: Double)] = []
  if let first = ramp.first, let last = ramp.last, ramp.count > 1 {
    let slope = (first.s - last.s) / (first.turns - last.turns)
    let high = 1 + 1 / (slope * first.turns - first.s)
    candidates = [((high * 1000).rounded() / 1000, slope * (high - 1)), (high, slope * (high - 1))]
  } else if let only = ramp.first {
    candidates = [4, 1.05].map { ($0, (only.s * ($0 - 1) + 1) / only.turns) }
  } else {
    // The ramp lies between two wavelengths.
    let step = factors.firstIndex { $0 >= factor * (1 - 1e-6) }!
    let place = step == 0 ? wavelengths[0] / 2 : (wavelengths[step - 1] * wavelengths[step]).squareRoot()
    candidates = (5...20).map { (4, Double(1 << $0)) } + [(1.01, place)]
  }
  // The context is an integer: rounding it must not change the factors.
  for low in [1, 2, 4, 1.5, 3, 1e4] {
    for (high, context) in candidates where high > 1 && context >= 1 && context < 1e9 {
      let scaling = RotaryScaling.llama3(
        factor: factor, lowFrequencyFactor: low, highFrequencyFactor: low * high,
        originalContext: Int((low * context).rounded()))
      let expected = llama3Factors(scaling, size: size, base: base)
      let same = zip(expected, factors).allSatisfy { (a: Double, b: Double) in abs(a - b) <= 1e-5 * b }
      if same { return scaling }
    }
  }
  return nil
}

// MARK: Writing

extension GGUFArchitecture {
  /// The keys that describe a configuration, from which llama.cpp builds the same model.
  func metadata(_ c: TransformerConfiguration) throws -> GGUFMetadata {
    var m = GGUFMetadata()
    func set(_ name: String, _ value: Int) { m[key(name)] = .uint32(UInt32(clamping: value)) }
    m["general.architecture"] = .string(rawValue)
    m["general.type"] = .string("model")
    set("vocab_size", c.vocabularySize)
    set("context_length", c.context)
    set("embedding_length", c.width)
    set("block_count", c.layerCount)
    set("feed_forward_length", c.feedForwardWidth)
    set("attention.head_count", c.headCount)
    set("attention.head_count_kv", c.keyValueHeadCount)
    m[epsilonKey] = .float32(c.normEpsilon)
    guard self != .gpt2 else { return m }
    set("attention.key_length", c.headSize)
    set("attention.value_length", c.headSize)
    set("rope.dimension_count", c.headSize)
    m[key("rope.freq_base")] = .float32(Float(c.rotaryBase))
    if let window = c.window { set("attention.sliding_window", window) }
    switch c.rotaryScaling {
    case .none, .llama3: break  // Llama 3's is a tensor
    case .linear(let factor):
      m[key("rope.scaling.type")] = .string("linear")
      m[key("rope.scaling.factor")] = .float32(Float(factor))
    case .yarn(let factor, let fast, let slow, let context, let attentionFactor):
      m[key("rope.scaling.type")] = .string("yarn")
      m[key("rope.scaling.factor")] = .float32(Float(factor))
      set("rope.scaling.original_context_length", context)
      m[key("rope.scaling.yarn_beta_fast")] = .float32(Float(fast))
      m[key("rope.scaling.yarn_beta_slow")] = .float32(Float(slow))
      if let attentionFactor {
        let usual = rotaryFrequencies(
          size: c.headSize, base: c.rotaryBase,
          scaling: .yarn(factor: factor, betaFast: fast, betaSlow: slow, originalContext: context, attentionFactor: nil)
        ).scale
        m[key("rope.scaling.attn_factor")] = .float32(Float(attentionFactor / usual))
      }
    }
    return m
  }
}

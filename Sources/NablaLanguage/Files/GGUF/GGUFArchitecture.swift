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
    try metadata.requireWhole()
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

  func key(_ name: String) -> String { "\(rawValue).\(name)" }
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
      if case .longrope(_, _, let original, _, _) = c.rotaryScaling { c.context = min(c.context, original) }
      if let window = m[key("attention.sliding_window")]?.integer, window > 0 { c.window = window }
    }
    try c.validate(file: file.path)
    return c
  }
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
    set("context_length", c.extendedContext)
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
    try write(c.rotaryScaling, of: c, to: &m)
    return m
  }
}

extension GGUFMetadata {
  /// - Throws: an error for one file of several.
  func requireWhole() throws {
    if let count = self["split.count"]?.integer, count > 1 {
      throw failure(
        "split.count", .malformed("the model is split over \(count) files; merge them with llama-gguf-split --merge"))
    }
  }
}

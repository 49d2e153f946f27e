import Foundation
import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import Testing

@Suite struct ModelFolderTests {
  static let peers = [
    "llama-tied", "llama-untied", "llama-scaled", "llama-yarn", "llama-longrope", "llama-dynamic", "mistral", "qwen2",
    "qwen3", "gpt2",
  ]

  /// Logits within 1e-4 of transformers'.
  @Test(arguments: peers) func loadsPeers(_ name: String) throws {
    let model = try ModelFolder.load("\(peerModels)/\(name)")
    let reference = try SafetensorsFile(path: "\(peerModels)/\(name)/reference.safetensors").tensors()
    let logits = model.logits(model(reference["input_ids"]!))
    #expect(largestDifference(logits, reference["logits"]!) <= 1e-4)
  }

  /// What was loaded from a library is written as that library's, scaling and odd head sizes included.
  @Test(arguments: peers) func writesPeersBack(_ name: String) throws {
    try withTemporaryFolder { folder in
      let model = try ModelFolder.load("\(peerModels)/\(name)")
      try ModelFolder.save(model, tokenizer: nil, to: folder)
      let type = try JSONValue(contentsOfFile: "\(folder)/config.json")["model_type"]
      let family = String(name.split(separator: "-")[0])
      #expect(type == .string(family))
      #expect(try ModelFolder.load(folder).configuration == model.configuration)
      let (ours, theirs) = (
        try SafetensorsFile(path: "\(folder)/model.safetensors").tensors(),
        try SafetensorsFile(path: "\(peerModels)/\(name)/model.safetensors").tensors()
      )
      #expect(Set(ours.keys) == Set(theirs.keys))
      for (name, tensor) in theirs { #expect(ours[name]?.array() == tensor.array(), "\(name)") }
    }
  }

  struct Variant: Sendable, CustomTestStringConvertible {
    let name: String
    let type: JSONValue
    let configuration: TransformerConfiguration
    var testDescription: String { name }

    init(_ name: String, _ type: JSONValue, _ change: (inout TransformerConfiguration) -> Void) {
      (self.name, self.type, configuration) = (name, type, NablaLanguageTests.configuration(change))
    }
  }

  static let variants = [
    Variant("llama", "llama") { _ in },
    Variant("llama, untied, biases, head size", "llama") {
      ($0.tieEmbeddings, $0.bias, $0.headSize) = (false, true, 6)
    },
    Variant("llama, linear scaling", "llama") { $0.rotaryScaling = .linear(factor: 2) },
    Variant("llama, llama3 scaling", "llama") {
      $0.rotaryScaling = .llama3(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 8)
    },
    Variant("llama, yarn scaling", "llama") {
      $0.rotaryScaling = .yarn(factor: 4, betaFast: 32, betaSlow: 1, originalContext: 8, attentionFactor: 1.25)
      $0.rotaryBase = 500_000
      $0.normEpsilon = 1e-6
    },
    Variant("gpt2", "gpt2") {
      gpt2Shaped(&$0)
      $0.bias = true
    },
    Variant("gpt2, untied", "gpt2") {
      gpt2Shaped(&$0)
      ($0.bias, $0.tieEmbeddings) = (true, false)
    },
    Variant("gpt2 without biases", "gpt2") { gpt2Shaped(&$0) },
    Variant("the original block", "nabla") {
      gpt2Shaped(&$0)
      ($0.feedForward, $0.normPlacement, $0.bias) = (.relu, .post, true)
    },
    Variant("sinusoidal", "nabla") { $0.positions = .sinusoidal },
    Variant("mistral", "mistral") { $0.window = 3 },
    Variant("qwen2", "qwen2") { $0.queryKeyValueBias = true },
    Variant("qwen2 with a window", "qwen2") {
      ($0.queryKeyValueBias, $0.window, $0.firstWindowLayer) = (true, 3, 1)
    },
    Variant("qwen3, untied, head size", "qwen3") { ($0.headNorm, $0.tieEmbeddings, $0.headSize) = (.rms, false, 6) },
    Variant("qwen3 with a window", "qwen3") { ($0.headNorm, $0.window) = (.rms, 4) },
    Variant("window after the first layer", "nabla") { ($0.window, $0.firstWindowLayer) = (3, 1) },
    Variant("norms of heads with biases", "nabla") { ($0.headNorm, $0.bias) = (.rms, true) },
    Variant("grouped gpt2", "nabla") {
      gpt2Shaped(&$0)
      $0.keyValueHeadCount = 1
    },
  ]

  @Test(arguments: variants) func roundTrip(_ variant: Variant) throws {
    try withTemporaryFolder { folder in
      let model = lively(variant.configuration)
      try ModelFolder.save(model, tokenizer: ByteTokenizer(), to: folder)
      #expect(try JSONValue(contentsOfFile: "\(folder)/config.json")["model_type"] == variant.type)
      let loaded = try ModelFolder.load(folder)
      var expected = variant.configuration
      // GPT-2 has biases: without them means with biases of 0.
      if variant.type == "gpt2" { expected.bias = true }
      #expect(loaded.configuration == expected)
      let (mine, theirs) = (bits(model), bits(loaded))
      for (name, values) in mine { #expect(theirs[name] == values, "\(name)") }
      for (name, values) in theirs where mine[name] == nil { #expect(values.allSatisfy { $0 == 0 }, "\(name)") }
      let input = tokens([2, 9], below: 32)
      #expect(largestDifference(model.logits(model(input)), loaded.logits(loaded(input))) == 0)
    }
  }

  // MARK: Bad files

  /// A copy of a peer's folder, changed.
  private func withCopy(of name: String, _ body: (_ folder: String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      for file in ["config.json", "model.safetensors"] {
        try FileManager.default.copyItem(atPath: "\(peerModels)/\(name)/\(file)", toPath: "\(folder)/\(file)")
      }
      try body(folder)
    }
  }

  private func message(loading folder: String) -> String {
    do {
      _ = try ModelFolder.load(folder)
      return "loaded"
    } catch { return "\(error)" }
  }

  struct Change: Sendable, CustomTestStringConvertible {
    let model: String
    let field: String
    let value: JSONValue?
    let expected: String
    var testDescription: String { "\(model): \(field) = \(value?.serialized() ?? "none")" }

    init(_ model: String, _ field: String, _ value: JSONValue?, _ expected: String) {
      (self.model, self.field, self.value, self.expected) = (model, field, value, expected)
    }
  }

  static let changes = [
    Change("llama-tied", "model_type", nil, "no \"model_type\""),
    Change("llama-tied", "model_type", "mamba", "\"mamba\" are not supported"),
    Change("llama-tied", "model_type", 3, "no \"model_type\""),
    Change("llama-tied", "hidden_size", nil, "no field \"hidden_size\""),
    Change("llama-tied", "vocab_size", nil, "no field \"vocab_size\""),
    Change("llama-tied", "hidden_size", "32", "\"hidden_size\" should be a non-negative integer, not \"32\""),
    Change("llama-tied", "hidden_size", 32.5, "\"hidden_size\" should be a non-negative integer"),
    Change("llama-tied", "num_hidden_layers", -1, "\"num_hidden_layers\" should be a non-negative integer"),
    Change("llama-tied", "num_hidden_layers", 0, "layers must be at least 1, not 0"),
    Change("llama-tied", "num_attention_heads", 0, "heads must be at least 1, not 0"),
    Change("llama-tied", "tie_word_embeddings", "yes", "\"tie_word_embeddings\" should be true or false"),
    Change("llama-tied", "hidden_act", "gelu", "\"hidden_act\": \"gelu\" is not supported"),
    Change("llama-tied", "mlp_bias", true, "missing tensor model.layers.0.mlp.down_proj.bias"),
    Change("llama-tied", "rope_parameters", 5, "\"rope_parameters\" should be an object"),
    Change("llama-tied", "rope_parameters", ["rope_type": "wide"], "type \"wide\" is not supported"),
    Change("llama-tied", "rope_parameters", ["rope_type": "longrope"], "\"short_factor\" should be a list of numbers"),
    Change(
      "llama-tied", "rope_parameters", ["rope_type": "longrope", "short_factor": [1], "long_factor": [1, 2]],
      "LongRoPE needs 4 short and long factors, not 1 and 2"),
    Change(
      "llama-tied", "rope_parameters", ["full_attention": ["rope_type": "default"]], "some layers (\"full_attention\")"),
    Change("llama-tied", "rope_parameters", ["partial_rotary_factor": 0.25], "\"partial_rotary_factor\" other than 1"),
    Change("llama-tied", "rope_scaling", ["type": "ntk"], "type \"ntk\" is not supported"),
    Change("llama-tied", "rope_parameters", ["rope_type": "llama3"], "\"rope_parameters\": no field \"factor\""),
    Change("llama-tied", "rope_parameters", ["rope_type": "linear", "factor": 0], "factors give non-finite"),
    Change("llama-tied", "rope_parameters", ["rope_theta": 0], "base of rotary frequencies must be positive"),
    Change("llama-tied", "rms_norm_eps", -1.0, "epsilon must be finite and 0 or more"),
    Change("llama-tied", "rms_norm_eps", [], "\"rms_norm_eps\" should be a number"),
    Change("llama-tied", "num_key_value_heads", 3, "3 key/value heads do not divide 4 heads"),
    Change("llama-tied", "head_dim", 7, "even head size, not 7"),
    Change("llama-tied", "head_dim", 512, "head size of 512"),
    // Numbers that would overflow, or fill the memory, if they were believed.
    Change("llama-tied", "vocab_size", .integer(.max), "\"vocab_size\" should be a non-negative integer"),
    Change("llama-tied", "hidden_size", .integer(1 << 30), "width must be at most"),
    Change("llama-tied", "vocab_size", .integer(1 << 24), "describes a model of"),
    Change("llama-tied", "num_hidden_layers", .integer(1 << 24), "describes a model of"),
    Change("llama-tied", "intermediate_size", .integer(1 << 24), "describes a model of"),
    Change("llama-scaled", "max_position_embeddings", .integer(1 << 24), "a context of 16777216 requires"),
    Change("llama-tied", "partial_rotary_factor", 0.5, "\"partial_rotary_factor\" other than 1"),
    Change("mistral", "sliding_window", 0, "attention window must be between 1"),
    Change("qwen2", "layer_types", ["sliding_attention", "full_attention"], "\"layer_types\""),
    Change("qwen3", "attention_bias", true, "\"attention_bias\": true is not supported"),
    Change("qwen3", "head_dim", 16, "q_proj.weight has shape [48, 32], the model expects [64, 32]"),
    Change("qwen3", "model_type", "llama", "unknown tensor model.layers.0.self_attn.k_norm.weight"),
    Change("gpt2", "n_positions", .integer(1 << 24), "describes a model of"),
    Change("gpt2", "activation_function", "relu", "\"activation_function\": \"relu\" is not supported"),
    Change("gpt2", "scale_attn_by_inverse_layer_idx", true, "\"scale_attn_by_inverse_layer_idx\""),
    Change("gpt2", "n_head", 5, "5 heads do not divide width 32"),
    Change("gpt2", "n_embd", nil, "no field \"n_embd\""),
    Change("gpt2", "model_type", "nabla", "no field \"nabla\""),
    // Tensors that the changed configuration does not fit.
    Change("llama-tied", "num_hidden_layers", 3, "missing tensor model.layers.2."),
    Change("llama-tied", "num_hidden_layers", 1, "unknown tensor model.layers.1."),
    Change("llama-tied", "intermediate_size", 40, "down_proj.weight has shape [32, 48], the model expects [32, 40]"),
    Change("gpt2", "n_layer", 3, "missing tensor h.2."),
    Change("gpt2", "n_embd", 64, "c_attn does not have 3 · 64 columns"),
    Change("gpt2", "vocab_size", 65, "embed_tokens.weight has shape [64, 32], the model expects [65, 32]"),
  ]

  @Test(arguments: changes) func badConfiguration(_ change: Change) throws {
    try withCopy(of: change.model) { folder in
      let path = "\(folder)/config.json"
      var config = try #require(JSONValue(contentsOfFile: path).object)
      config[change.field] = change.value
      try AtomicFile.write(JSONValue.object(config).serialized(), to: path)
      let message = message(loading: folder)
      #expect(message.contains(change.expected))
      #expect(message.hasPrefix(folder), "the message begins with the file")
    }
  }

  @Test(arguments: ["width", "headSize", "layerCount", "context", "headCount", "positions", "normEpsilon"])
  func badNablaConfiguration(_ field: String) throws {
    try withTemporaryFolder { folder in
      try ModelFolder.save(lively(configuration { $0.positions = .sinusoidal }), tokenizer: nil, to: folder)
      let path = "\(folder)/config.json"
      let config = try #require(JSONValue(contentsOfFile: path).object)
      for value in [JSONValue.integer(.max), .integer(-1), .integer(.min), .string("what"), .null, .number(1e300)] {
        var (changed, nabla) = (config, try #require(config["nabla"]?.object))
        nabla[field] = value
        changed["nabla"] = .object(nabla)
        try AtomicFile.write(JSONValue.object(changed).serialized(), to: path)
        let message = message(loading: folder)
        // A large epsilon is only a useless one.
        if field == "normEpsilon", value == .integer(.max) { continue }
        #expect(message.hasPrefix(path), "\(value)")
      }
      var (changed, nabla) = (config, try #require(config["nabla"]?.object))
      nabla[field] = nil
      changed["nabla"] = .object(nabla)
      try AtomicFile.write(JSONValue.object(changed).serialized(), to: path)
      #expect(message(loading: folder).contains(field))
    }
  }

  @Test(arguments: [0, 7, 8, 500, -1]) func truncatedTensors(_ length: Int) throws {
    try withCopy(of: "llama-tied") { folder in
      let path = "\(folder)/model.safetensors"
      let data = try Data(contentsOf: URL(fileURLWithPath: path))
      try data.prefix(length < 0 ? data.count - 1 : length).write(to: URL(fileURLWithPath: path))
      #expect(message(loading: folder).hasPrefix(path))
    }
  }

  @Test func missingFiles() throws {
    try withTemporaryFolder { folder in
      #expect(message(loading: folder).contains("\(folder)/config.json"))
      try FileManager.default.copyItem(atPath: "\(peerModels)/gpt2/config.json", toPath: "\(folder)/config.json")
      #expect(message(loading: folder).contains("\(folder): there is no model.safetensors in this folder"))
      try AtomicFile.write("{\"model_type\": ", to: "\(folder)/config.json")
      #expect(message(loading: folder).contains("config.json: invalid JSON"))
    }
  }
}

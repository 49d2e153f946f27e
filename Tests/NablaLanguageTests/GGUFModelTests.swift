import Foundation
import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import Testing

/// The network of a GGUF file, its weights in the types they are stored in, or widened.
private func network(_ gguf: GGUFModel, keepingTypes: Bool = false) throws -> TransformerLM {
  var random = RandomSource(seed: 0)
  let model = TransformerLM(gguf.configuration, random: &random)
  try model.load(gguf.state(), keepingTypes: keepingTypes)
  return model
}

private func logits(_ model: TransformerLM, _ ids: Tensor) -> Tensor { withoutGradient { model.logits(model(ids)) } }

@Suite struct GGUFModelTests {
  static let names = ["llama", "llama-bias", "qwen2", "qwen3", "gpt2"]
  static let folder = peerModels + "/gguf"

  private func reference(_ name: String) throws -> (ids: Tensor, logits: Tensor) {
    let tensors = try SafetensorsFile(path: "\(Self.folder)/\(name).safetensors").tensors()
    return (tensors["input_ids"]!, tensors["logits"]!)
  }

  /// Files of the gguf package: logits within 1e-4 of transformers' with the same weights.
  @Test(arguments: names) func computesWhatTransformersDoes(_ name: String) throws {
    let model = try network(GGUFModel(path: "\(Self.folder)/\(name).gguf"))
    let reference = try reference(name)
    #expect(largestDifference(logits(model, reference.ids), reference.logits) <= 1e-4)
  }

  /// Weights that stay quantized give the same up to the rounding of activations to 8 bits.
  @Test(arguments: names) func computesFromBlocks(_ name: String) throws {
    let model = try network(GGUFModel(path: "\(Self.folder)/\(name).gguf"), keepingTypes: true)
    #expect(model.parameters().contains { $0.value.dtype == .q8_0 })
    let reference = try reference(name)
    #expect(largestDifference(logits(model, reference.ids), reference.logits) <= 0.5)
  }

  @Test func readsTheConfiguration() throws {
    let llama = try GGUFModel(path: "\(Self.folder)/llama.gguf").configuration
    #expect(llama.headCount == 4 && llama.keyValueHeadCount == 2 && llama.headSize == 8 && llama.tieEmbeddings)
    #expect(
      llama.rotaryScaling
        == .llama3(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 64))
    let biased = try GGUFModel(path: "\(Self.folder)/llama-bias.gguf").configuration
    #expect(biased.bias && biased.headSize == 16 && !biased.tieEmbeddings && biased.queryKeyValueBias == nil)
    let qwen2 = try GGUFModel(path: "\(Self.folder)/qwen2.gguf").configuration
    #expect(qwen2.queryKeyValueBias == true && !qwen2.bias)
    #expect(try GGUFModel(path: "\(Self.folder)/qwen3.gguf").configuration.headNorm == .rms)
    #expect(try GGUFModel(path: "\(Self.folder)/gpt2.gguf").configuration.positions == .learned)
  }

  /// Matrices that need no change stay in the mapped file.
  @Test func borrowsWhatItCan() throws {
    let model = try GGUFModel(path: "\(Self.folder)/qwen2.gguf")
    let name = "model.layers.0.self_attn.q_proj.weight"
    let (tensor, again) = (try model.tensor(name), try model.tensor(name))
    #expect(tensor.dtype == .q8_0 && tensor.pointer == again.pointer, "the same bytes of the file, no copy")
  }

  /// Llama 3.1's, Llama 3.2's, and a scaling with one frequency on its ramp, from the factors in float32.
  @Test(arguments: [
    (8.0, 4.0, 8192, 128, 500_000.0), (32, 4, 8192, 64, 500_000), (8, 4, 64, 8, 500),
  ])
  func findsLlama3Scaling(factor: Double, high: Double, context: Int, size: Int, base: Double) {
    let scaling = RotaryScaling.llama3(
      factor: factor, lowFrequencyFactor: 1, highFrequencyFactor: high, originalContext: context)
    let factors = llama3Factors(scaling, size: size, base: base).map { Double(Float($0)) }
    #expect(llama3Scaling(dividing: factors, size: size, base: base) == scaling)
  }

  /// Settings nobody publishes: ramps with many, one and no frequencies on them, whose ends are no whole numbers.
  @Test func findsAScalingThatDoesTheSame() throws {
    var random = RandomSource(seed: 1)
    for _ in 0..<500 {
      let draw = random.uniform([6]).array(of: Double.self)
      let low = 0.5 + 3 * draw[0]
      let scaling = RotaryScaling.llama3(
        factor: 2 + 30 * draw[1], lowFrequencyFactor: low, highFrequencyFactor: low + 0.1 + 6 * draw[2],
        originalContext: 50 + Int(20_000 * draw[3]))
      let (size, base) = (8 << Int(5 * draw[4]), 500 * exp(8 * draw[5]))
      let factors = llama3Factors(scaling, size: size, base: base).map { Double(Float($0)) }
      let found = try #require(llama3Scaling(dividing: factors, size: size, base: base), "\(scaling), \(size), \(base)")
      for (a, b) in zip(llama3Factors(found, size: size, base: base), factors) { #expect(abs(a - b) <= 1e-5 * b) }
    }
  }

  @Test func refusesOtherFactors() {
    #expect(llama3Scaling(dividing: [1, 2, 3, 1], size: 8, base: 10_000) == nil)
    #expect(llama3Scaling(dividing: [1, .nan, 8, 8], size: 8, base: 10_000) == nil)
    #expect(llama3Scaling(dividing: [1, 1], size: 8, base: 10_000) == nil)
    #expect(llama3Scaling(dividing: [1, 1, 1, 1], size: 8, base: 10_000) == RotaryScaling.none)
  }

  /// Rows of queries and keys: the order of llama.cpp's converter, [heads, 2, D/2] with the last two exchanged.
  @Test func interleavesRowsAsLlamaCppDoes() {
    let rows = Tensor((0..<12).map { Float($0) }, [12])
    #expect(rows.interleavingPairs(heads: 2).array() == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11])
    let matrix = Tensor((0..<24).map { Float($0) }, [12, 2])
    #expect(matrix.interleavingPairs(heads: 3).separatingPairs(heads: 3).array() == matrix.array())
    #expect(matrix.separatingPairs(heads: 3).array() != matrix.array())
  }

  /// Something wrong with a file, and what the error must say.
  struct Damage: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let says: [String]
    let change: @Sendable (inout GGUFMetadata, inout [GGUFTensor]) -> Void

    init(
      _ name: String, _ says: String..., change: @escaping @Sendable (inout GGUFMetadata, inout [GGUFTensor]) -> Void
    ) {
      (testDescription, self.says, self.change) = (name, says, change)
    }

    static func key(_ key: String, _ value: GGUFValue?, _ says: String...) -> Damage {
      var damage = Damage("\(key) = \(value.map(\.description) ?? "nothing")") { metadata, _ in metadata[key] = value }
      damage = Damage(damage.testDescription, says, damage.change)
      return damage
    }

    private init(
      _ name: String, _ says: [String], _ change: @escaping @Sendable (inout GGUFMetadata, inout [GGUFTensor]) -> Void
    ) {
      (testDescription, self.says, self.change) = (name, says, change)
    }
  }

  private static func zeros(_ name: String, _ shape: [Int]) -> GGUFTensor {
    let count = shape.reduce(4, *)
    return GGUFTensor(name: name, shape: shape, type: .f32) { try $0.write([UInt8](repeating: 0, count: count)) }
  }

  static let damages: [Damage] = [
    .key("general.architecture", .string("bert"), "\"bert\"", "\"llama\", \"qwen2\", \"qwen3\", \"gpt2\""),
    .key("general.architecture", nil, "general.architecture", "missing"),
    .key("general.type", .string("adapter"), "general.type", "adapter"),
    .key("split.count", .uint16(3), "3 files", "merge"),
    .key("llama.block_count", nil, "llama.block_count", "missing"),
    .key("llama.block_count", .uint32(3), "blk.2.attn_norm.weight", "no such tensor"),
    .key("llama.block_count", .uint32(1), "blk.1.", "does not belong to a supported llama model"),
    .key("llama.block_count", .uint32(.max), "layers must be at most"),
    .key("llama.block_count", .uint32(1 << 24), "16777216 layers", "21 tensors"),
    .key("llama.block_count", .int32(-1), "llama.block_count", "non-negative"),
    .key("llama.embedding_length", .uint32(64), "token_embd.weight", "[64, 32]", "[64, 64]"),
    .key("llama.embedding_length", .string("x"), "llama.embedding_length", "non-negative integer"),
    .key("llama.attention.head_count", .uint32(0), "heads must be at least 1"),
    .key(
      "llama.attention.head_count", .array(GGUFArray([Int32(4), 4])), "llama.attention.head_count",
      "non-negative integer"),
    .key("llama.attention.head_count_kv", .uint32(3), "3 key/value heads"),
    .key("llama.attention.key_length", .uint32(16), "llama.attention.value_length"),
    .key("llama.attention.key_length", .uint64(.max), "llama.attention.key_length", "18446744073709551615"),
    .key("llama.attention.layer_norm_rms_epsilon", .float32(.nan), "layer_norm_rms_epsilon", "finite"),
    .key("llama.rope.dimension_count", .uint32(4), "llama.rope.dimension_count", "8, the only supported"),
    .key("llama.rope.freq_base", .float32(0), "rotary"),
    .key("llama.expert_count", .uint32(8), "llama.expert_count", "0, the only supported"),
    .key("llama.context_length", .uint64(1 << 40), "context must be at most"),
    Damage("an unknown tensor", "\"blk.0.ffn_gate_inp.weight\"", "does not belong to a supported llama model") {
      _, tensors in
      tensors.append(zeros("blk.0.ffn_gate_inp.weight", [2, 2]))
    },
    Damage("a missing tensor", "\"output_norm.weight\"", "no such tensor") { _, tensors in
      tensors.removeAll { $0.name == "output_norm.weight" }
    },
    Damage("a tensor of another shape", "\"output_norm.weight\"", "[31]", "[32]") { _, tensors in
      tensors.removeAll { $0.name == "output_norm.weight" }
      tensors.append(zeros("output_norm.weight", [31]))
    },
    Damage("an embedding that is a vector", "\"token_embd.weight\"", "[64]") { _, tensors in
      tensors.removeAll { $0.name == "token_embd.weight" }
      tensors.append(zeros("token_embd.weight", [64]))
    },
    Damage("unknown rotary factors", "\"rope_freqs.weight\"", "Llama 3") { _, tensors in
      tensors.removeAll { $0.name == "rope_freqs.weight" }
      tensors.append(zeros("rope_freqs.weight", [4]))
    },
    Damage("an unknown rotary scaling", "llama.rope.scaling.type", "\"wide\"") { metadata, tensors in
      tensors.removeAll { $0.name == "rope_freqs.weight" }
      metadata["llama.rope.scaling.type"] = .string("wide")
    },
    Damage("LongRoPE without factors", "\"rope_factors_short.weight\"", "no such tensor") { metadata, tensors in
      tensors.removeAll { $0.name == "rope_freqs.weight" }
      metadata["llama.rope.scaling.type"] = .string("longrope")
    },
    .key("llama.rope.scaling.yarn_log_multiplier", .float32(0.1), "yarn_log_multiplier", "0.0, the only"),
    .key("llama.rope.scaling.yarn_ext_factor", .float32(0.5), "yarn_ext_factor"),
    .key("llama.rope.scaling.yarn_attn_factor", .float32(2), "yarn_attn_factor"),
    .key("llama.rope.scaling.alpha", .float32(1000), "rope.scaling.alpha"),
    .key("llama.rope.freq_base_swa", .float32(10_000), "rope.freq_base_swa"),
    .key("llama.rope.dimension_sections", .array(GGUFArray([Int32(2), 2])), "rope.dimension_sections"),
  ]

  @Test(arguments: damages) func refuses(_ damage: Damage) throws {
    let file = try GGUFFile(path: "\(Self.folder)/llama.gguf")
    var metadata = file.metadata
    var tensors = file.entries.map { entry in
      GGUFTensor(name: entry.name, shape: entry.shape, type: entry.type) { writer in
        try file.withBytes(of: entry) { try writer.write($0) }
      }
    }
    damage.change(&metadata, &tensors)
    try withTemporaryFolder { folder in
      let path = "\(folder)/bad.gguf"
      try GGUFFile.write(tensors, metadata: metadata, to: path)
      let error = try #require(throws: (any Error).self) { _ = try GGUFModel(path: path).state() }
      for part in damage.says + ["bad.gguf: "] { #expect("\(error)".contains(part), "\(error)") }
    }
  }

  /// A file of the fixtures with other metadata.
  private func write(_ name: String, to path: String, _ change: (inout GGUFMetadata) -> Void) throws {
    let file = try GGUFFile(path: "\(Self.folder)/\(name).gguf")
    var metadata = file.metadata
    change(&metadata)
    let tensors = file.entries.map { entry in
      GGUFTensor(name: entry.name, shape: entry.shape, type: entry.type) { writer in
        try file.withBytes(of: entry) { try writer.write($0) }
      }
    }
    try GGUFFile.write(tensors, metadata: metadata, to: path)
  }

  /// As llama.cpp reads them: without a type a factor is linear, and 0 is none.
  @Test func aFactorAloneIsLinear() throws {
    try withTemporaryFolder { folder in
      for (factor, scaling) in [(4, .linear(factor: 4)), (1, .none), (0, .none)] as [(Float, RotaryScaling)] {
        let path = "\(folder)/\(factor).gguf"
        try write("qwen2", to: path) { metadata in
          metadata["qwen2.rope.scaling.type"] = nil
          metadata["qwen2.rope.scaling.factor"] = .float32(factor)
        }
        #expect(try GGUFModel(path: path).configuration.rotaryScaling == scaling)
      }
    }
  }

  /// Of one file of several the types could be changed, but it is no model.
  @Test func oneFileOfSeveralIsNotConverted() throws {
    try withTemporaryFolder { folder in
      try write("llama", to: "\(folder)/part.gguf") { $0["split.count"] = .uint16(3) }
      let error = try #require(throws: (any Error).self) {
        try ModelConversion(from: "\(folder)/part.gguf", to: "\(folder)/out.gguf", type: .q8_0).run()
      }
      #expect("\(error)".contains("3 files") && !pathExists("\(folder)/out.gguf"), "\(error)")
    }
  }

  @Test func refusesTypesThatCannotBeComputedWith() throws {
    let file = try GGUFFile(path: "\(Self.folder)/qwen2.gguf")
    let tensors = file.entries.map { entry in
      let type = entry.name == "token_embd.weight" ? GGMLType.iq4_nl : entry.type
      return GGUFTensor(name: entry.name, shape: entry.shape, type: type) { writer in
        try writer.write([UInt8](repeating: 0, count: type.byteCount(shape: entry.shape)!))
      }
    }
    try withTemporaryFolder { folder in
      try GGUFFile.write(tensors, metadata: file.metadata, to: "\(folder)/m.gguf")
      let error = try #require(throws: GGUFError.self) { _ = try GGUFModel(path: "\(folder)/m.gguf").state() }
      #expect(
        error.description.contains("\"token_embd.weight\"") && error.description.contains("IQ4_NL"), "\(error)")
    }
  }
}

@Suite struct ModelConversionTests {
  /// A folder with a model and a tokenizer of its size, so that it can become a GGUF file.
  private func withModel<R>(_ name: String, _ body: (_ folder: String, _ work: String) throws -> R) throws -> R {
    try withTemporaryFolder { work in
      let folder = work + "/model"
      try FileManager.default.copyItem(atPath: "\(peerModels)/\(name)", toPath: folder)
      let tokens = (0..<61).map { "t\($0)" } + ["t1t2", "t3t4"]
      let vocabulary = JSONObject(tokens.enumerated().map { ($1, .integer($0)) })
      let tokenizer: JSONValue = [
        "model": ["type": "BPE", "vocab": .object(vocabulary), "merges": [["t1", "t2"], "t3 t4"]],
        "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "use_regex": true],
        "decoder": ["type": "ByteLevel"], "added_tokens": [["id": 63, "content": "<end>", "special": true]],
      ]
      try AtomicFile.write(tokenizer.serialized(), to: folder + "/tokenizer.json")
      try AtomicFile.write(#"{"eos_token":"<end>","chat_template":"{{ x }}"}"#, to: folder + "/tokenizer_config.json")
      return try body(folder, work)
    }
  }

  private func state(_ path: String) throws -> [String: Tensor] {
    try GGUFModel(path: path).state()
  }

  /// llama.cpp does not read a window of this architecture.
  @Test func tellsOfAWindow() throws {
    try withModel("mistral") { folder, work in
      let notes = try ModelConversion(from: folder, to: work + "/m.gguf").run()
      #expect(notes.count == 1 && notes[0].contains("sliding window of 5 tokens"), "\(notes)")
    }
  }

  /// Folder to GGUF in float32: the same numbers, whether read as one or the other.
  @Test(arguments: ["llama-tied", "llama-untied", "llama-scaled", "qwen3", "gpt2"]) func writesGGUF(_ name: String)
    throws
  {
    try withModel(name) { folder, work in
      #expect(try ModelConversion(from: folder, to: work + "/m.gguf").run() == [])
      let gguf = try GGUFModel(path: work + "/m.gguf")
      let expected = try ModelFolder.load(folder)
      #expect(gguf.configuration == expected.configuration)
      let (ours, theirs) = (try network(gguf), try SafetensorsFile(path: "\(folder)/reference.safetensors").tensors())
      #expect(largestDifference(logits(ours, theirs["input_ids"]!), theirs["logits"]!) <= 1e-4)
      let metadata = gguf.file.metadata
      #expect(try metadata.string("tokenizer.ggml.pre") == "gpt-2")
      #expect(try metadata.strings("tokenizer.ggml.tokens").prefix(2) == ["t0", "t1"])
      #expect(try metadata.strings("tokenizer.ggml.merges") == ["t1 t2", "t3 t4"])
      #expect(try metadata.integers("tokenizer.ggml.token_type").last == 3)
      #expect(try metadata.integer("tokenizer.ggml.eos_token_id") == 63)
      #expect(try metadata.string("tokenizer.chat_template") == "{{ x }}")
    }
  }

  /// Types of every tensor after quantization: rows of 32 have no place in blocks of 256.
  @Test(arguments: [
    (GGMLType.q8_0, GGMLType.q8_0, GGMLType.q8_0), (.q4_0, .q4_0, .q8_0), (.q4_1, .q4_1, .q8_0),
    (.q4_K, .q5_0, .q8_0), (.q6_K, .q8_0, .q8_0), (.f16, .f16, .f16), (.bf16, .bf16, .bf16), (.f32, .f32, .f32),
  ])
  func quantizes(_ type: GGMLType, matrices: GGMLType, output: GGMLType) throws {
    try withTemporaryFolder { work in
      let path = "\(work)/m.gguf"
      let source = "\(GGUFModelTests.folder)/qwen2.gguf"
      try ModelConversion(from: source, to: path, type: type).run()
      let file = try GGUFFile(path: path)
      #expect(try file.entry("token_embd.weight").type == output)
      #expect(try file.entry("blk.0.ffn_up.weight").type == matrices)
      #expect(try file.entry("blk.0.attn_q.bias").type == .f32)
      #expect(try file.entry("output_norm.weight").type == .f32)
      let (ours, theirs) = (try state(path), try state(source))
      for (name, tensor) in ours {
        let (a, b) = (tensor.cast(.float32), theirs[name]!.cast(.float32))
        let largest = b.array().reduce(0) { max($0, abs($1)) }
        // Half a step of a block whose values reach `largest`: 1/254 for 8 bits, 1/16 for 4, each on its rounded scale, and
        // twice as much at the end of q4_0's range that has one step less.
        let bound: Float = matrices == .q8_0 || matrices.block.elements == 1 ? 0.01 : 0.13
        #expect(largestDifference(a, b) <= Double(bound * largest), "\(name)")
      }
    }
  }

  /// Rows of whole blocks of 256 take the K-quants; the rule alone decides, whatever the file.
  @Test func followsLlamaCppsRule() {
    func type(_ type: GGMLType, _ name: String, _ columns: Int, ties: Bool = false) -> GGMLType {
      QuantizationRule(type: type, tiesEmbeddings: ties).type(of: name, shape: [512, columns])
    }
    #expect(type(.q4_K, "blk.0.ffn_up.weight", 512) == .q4_K)
    #expect(type(.q4_K, "output.weight", 512) == .q6_K)
    #expect(type(.q4_0, "output.weight", 576) == .q8_0)
    #expect(type(.q4_K, "token_embd.weight", 512) == .q4_K)
    #expect(type(.q4_K, "token_embd.weight", 512, ties: true) == .q6_K)
    #expect(type(.q8_0, "output.weight", 512) == .q8_0)
    #expect(type(.q6_K, "blk.0.ffn_up.weight", 576) == .q8_0)
    #expect(type(.q4_K, "blk.0.ffn_up.weight", 40) == .f16)
    #expect(type(.q4_K, "position_embd.weight", 512) == .f32)
    #expect(type(.f16, "blk.0.attn_norm.weight", 512) == .f32)
  }

  @Test func keepsBlocksThatStayAsTheyAre() throws {
    try withTemporaryFolder { work in
      let source = "\(GGUFModelTests.folder)/llama.gguf"
      try ModelConversion(from: source, to: "\(work)/m.gguf", type: .q8_0).run()
      for (name, tensor) in try state("\(work)/m.gguf") {
        #expect(tensor.cast(.float32).array() == (try state(source))[name]!.cast(.float32).array(), "\(name)")
      }
    }
  }

  @Test func refusesWhatItCannotWrite() throws {
    try withModel("llama-tied") { folder, work in
      func message(_ output: String, _ type: GGMLType? = nil, from input: String? = nil) -> String {
        do {
          try ModelConversion(from: input ?? folder, to: output, type: type).run()
          return "no error"
        } catch { return "\(error)" }
      }
      #expect(message(folder).contains("already exists"))
      #expect(message(work + "/out", .q4_0).contains("f32, f16 or bf16, not Q4_0"))
      #expect(message(work + "/m.gguf", from: work + "/none").contains("/none"))
      let rest = #""merges":[]},"decoder":{"type":"ByteLevel"},"pre_tokenizer":{"type":"#
      try AtomicFile.write(#"{"model":{"type":"Mystery","vocab":{}}}"#, to: folder + "/tokenizer.json")
      #expect(message(work + "/m.gguf").contains("model.type is Mystery"))
      try AtomicFile.write(#"{"model":{"vocab":{"a":64},"# + rest + #""ByteLevel"}}"#, to: folder + "/tokenizer.json")
      #expect(message(work + "/m.gguf").contains("the tokenizer has 65 tokens, but the model has 64"))
      try AtomicFile.write(#"{"model":{"vocab":{"a":1},"# + rest + #""Whitespace"}}"#, to: folder + "/tokenizer.json")
      #expect(message(work + "/m.gguf").contains("pre_tokenizer is without ByteLevel"))
      // Nabla reads this one, and GGUF has no name for it.
      try AtomicFile.write(
        #"{"model":{"vocab":{"a":1},"# + rest + #""ByteLevel","add_prefix_space":true}}"#,
        to: folder + "/tokenizer.json")
      #expect(message(work + "/m.gguf").contains("pre_tokenizer.add_prefix_space is true"))
      unlink(folder + "/tokenizer.json")
      #expect(message(work + "/m.gguf").contains("no tokenizer.json here"))
      #expect(!FileManager.default.fileExists(atPath: work + "/m.gguf"))
    }
  }
}

@Suite struct KeyValueCacheSizeTests {
  /// The sizes of a configuration come from a file.
  @Test func saturates() {
    let size = 1 << 24
    let c = TransformerConfiguration(
      vocabularySize: size, context: size, width: size, layerCount: size, headCount: size, headSize: 256)
    #expect(KeyValueCacheSize(c).bytesPerToken == 1 << 58)
    #expect(KeyValueCacheSize(c).bytes(at: 1 << 19) == .max)
  }
}

/// The file that `make smollm` fetches.
private let smolLM = packageFolder + "/.models/SmolLM2-135M-Instruct.Q4_1.gguf"

@Suite(.enabled(if: FileManager.default.fileExists(atPath: smolLM), "there is no SmolLM2: make model"))
struct SmolLMFileTests {
  @Test func readsTheModel() throws {
    let gguf = try GGUFModel(path: smolLM)
    let c = gguf.configuration
    #expect(c.layerCount == 30 && c.width == 576 && c.headCount == 9 && c.keyValueHeadCount == 3 && c.headSize == 64)
    #expect(c.vocabularySize == 49_152 && c.context == 8192 && c.rotaryBase == 100_000 && c.tieEmbeddings)
    #expect(try gguf.tensor("model.embed_tokens.weight").dtype == .q8_0)
    #expect(try gguf.tensor("model.layers.29.mlp.down_proj.weight").dtype == .q4_1)
    #expect(try gguf.file.metadata.strings("tokenizer.ggml.tokens").count == 49_152)
    #expect(KeyValueCacheSize(c).bytesPerToken == 2 * 30 * 3 * 64 * 2)
  }
}

import Foundation
import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import Testing

/// Rotary scaling from `config.json` to GGUF and back. That logits are those of transformers is for ModelFolderTests.
@Suite struct RotaryScalingTests {
  /// Runs `body` with a copy of a model of transformers, with a tokenizer, and its rotary parameters changed.
  private func withModel(
    _ name: String, _ change: (inout JSONObject) -> Void = { _ in },
    _ body: (_ folder: String, _ work: String) throws -> Void
  ) throws {
    try withTemporaryFolder { work in
      let folder = work + "/model"
      try FileManager.default.copyItem(atPath: "\(peerModels)/\(name)", toPath: folder)
      var config = try #require(JSONValue(contentsOfFile: folder + "/config.json").object)
      var rope = try #require(config["rope_parameters"]?.object)
      change(&rope)
      config["rope_parameters"] = .object(rope)
      try AtomicFile.write(JSONValue.object(config).serialized(), to: folder + "/config.json")
      let vocabulary = JSONObject((0..<64).map { ("t\($0)", .integer($0)) })
      let tokenizer: JSONValue = [
        "model": ["type": "BPE", "vocab": .object(vocabulary), "merges": []],
        "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "use_regex": true],
        "decoder": ["type": "ByteLevel"],
      ]
      try AtomicFile.write(tokenizer.serialized(), to: folder + "/tokenizer.json")
      try body(folder, work)
    }
  }

  private func logits(_ model: TransformerLM, _ ids: Tensor) -> Tensor { withoutGradient { model.logits(model(ids)) } }

  /// Through GGUF the model computes the same. YaRN's with whole dimensions, which is all that GGUF has a form for.
  @Test(arguments: ["llama-yarn", "llama-longrope", "llama-dynamic"]) func survivesGGUF(_ name: String) throws {
    try withModel(name) {
      $0["truncate"] = nil
    } _: { folder, work in
      try ModelConversion(from: folder, to: work + "/m.gguf").run()
      if name == "llama-longrope" {
        let metadata = try GGUFFile(path: work + "/m.gguf").metadata
        #expect(metadata["llama.rope.scaling.factor"] == nil, "llama.cpp would divide positions by it too")
      }
      try ModelConversion(from: work + "/m.gguf", to: work + "/back").run()
      let expected = try ModelFolder.load(folder)
      let ids = tokens([2, 12], below: 64)
      var random = RandomSource(seed: 0)
      let model = TransformerLM(try GGUFModel(path: work + "/m.gguf").configuration, random: &random)
      try model.load(GGUFModel(path: work + "/m.gguf").state())
      #expect(model.configuration.context == expected.configuration.context)
      for other in [model, try ModelFolder.load(work + "/back")] {
        #expect(largestDifference(logits(other, ids), logits(expected, ids)) <= 1e-5)
      }
    }
  }

  @Test func whatGGUFCannotSayIsRefused() throws {
    try withModel("llama-yarn") { folder, work in
      let error = #expect(throws: (any Error).self) { try ModelConversion(from: folder, to: work + "/m.gguf").run() }
      #expect("\(error.map { "\($0)" } ?? "")".contains("\"truncate\": false"))
    }
  }

  /// `rope_scaling` counts before `rope_parameters`, and a context of its own before that within; transformers 5.23.
  @Test func fieldsOfBothVersionsAreRead() throws {
    try withModel("llama-tied") { folder, _ in
      let path = folder + "/config.json"
      var config = try #require(JSONValue(contentsOfFile: path).object)
      config["rope_scaling"] = ["type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 0]
      config["original_max_position_embeddings"] = 8
      config["rope_theta"] = 500.0
      try AtomicFile.write(JSONValue.object(config).serialized(), to: path)
      let c = try ModelFolder.load(folder).configuration
      #expect(c.rotaryBase == 500)
      #expect(
        c.rotaryScaling
          == .yarn(factor: 4, betaFast: 32, betaSlow: 1, originalContext: 8, attentionFactor: nil))
    }
  }

  /// A model made for more than the original context takes the long factors.
  @Test func longRoPEServesLongContexts() throws {
    try withModel("llama-longrope") { folder, _ in
      var c = try ModelFolder.load(folder).configuration
      #expect(c.context == 32)
      let short = rotaryFrequencies(size: 8, base: 10_000, scaling: c.rotaryScaling, context: c.context).frequencies
      c.context = 256
      try c.validate()
      let long = rotaryFrequencies(size: 8, base: 10_000, scaling: c.rotaryScaling, context: c.context).frequencies
      for (i, factor) in [1, 4 / 1.5, 4, 16.0 / 3].enumerated() { #expect(abs(short[i] / long[i] - factor) < 1e-12) }
      c.context = 257
      #expect(throws: (any Error).self) { try c.validate() }
    }
  }
}

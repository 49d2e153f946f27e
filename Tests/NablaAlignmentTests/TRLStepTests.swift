import Foundation
import NablaAlignment
import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaTraining
import Testing

/// The first ten steps of TRL's trainers, loss by loss; Tests/Fixtures/generate/trl_steps.py made them.
@Suite struct TRLStepTests {
  private static let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/trl_steps").path

  /// A run as one that trained the fixture's adapter leaves it, so that training starts from that adapter.
  private func adapterRun(in folder: String) throws -> String {
    struct Configuration: Codable {
      var source = Source()
      struct Source: Codable {
        var base = "\(TRLStepTests.fixture)/model"
        var quantization = BaseQuantization.none
      }
    }
    let run = try RunFolder.create(at: "\(folder)/start", command: "sft", configuration: Configuration())
    try FileManager.default.copyItem(
      atPath: "\(Self.fixture)/adapter", toPath: "\(run.path)/\(AdapterRun.folderName)")
    return run.path
  }

  /// TRL's settings: all 8 rows in two micro-batches a step, and its defaults of AdamW.
  private func tuning(_ kind: AdapterKind, rate: Double) -> TuningConfiguration {
    var c = TuningConfiguration()
    (c.adapter, c.precision, c.learningRate, c.steps) = (kind, .float32, Float(rate), 10)
    (c.batchSize, c.gradientAccumulation, c.heldOutFraction, c.maximumLength) = (4, 2, 0, 64)
    return c
  }

  @Test(
    "ten losses follow TRL's within 1e-4", arguments: [AdapterKind.lora, .none],
    [
      "sft", "sigmoid", "ipo", "hinge", "robust", "sigmoid_norm", "cdpo",
    ])
  func follows(_ kind: AdapterKind, _ name: String) throws {
    try withTemporaryFolder { folder in
      let json = try JSONValue(contentsOfFile: "\(Self.fixture)/losses.json")
      let values = try #require(json[kind == .lora ? "lora" : "full"])
      let expected = try #require(values[name]?.array).compactMap(\.double)
      let tuning = tuning(kind, rate: try #require(values["learning_rate"]?.double))
      let start = kind == .lora ? try adapterRun(in: folder) : "\(Self.fixture)/model"
      let own: [Double]
      if name == "sft" {
        var c = SFT.Configuration()
        (c.tuning, c.packing) = (tuning, false)
        let sft = try SFT(start, data: .init(files: ["\(Self.fixture)/sft.jsonl"]), c)
        own = try (0..<10).map { _ in try sft.step()["loss"]! }
      } else {
        var c = DPO.Configuration()
        (c.tuning, c.loss) = (tuning, DPOLoss(rawValue: name) ?? .sigmoid)
        c.labelSmoothing = ["robust", "cdpo"].contains(name) ? 0.1 : 0
        let dpo = try DPO(start, data: .init(files: ["\(Self.fixture)/pairs.jsonl"]), c)
        own = try (0..<10).map { _ in try dpo.step()["loss"]! }
      }
      #expect(expected.count == 10 && abs(expected[9] - expected[0]) > 0.05)
      #expect(zip(own, expected).allSatisfy { abs($0 - $1) <= 1e-4 }, "\(own)\n\(expected)")
    }
  }

  /// The Bradley-Terry loss of a classifier that starts with the fixture's head, which is trained beside the adapter.
  @Test("ten losses of a reward model follow TRL's within 1e-4", arguments: [AdapterKind.lora, .none])
  func rewardFollows(_ kind: AdapterKind) throws {
    try withTemporaryFolder { folder in
      let json = try JSONValue(contentsOfFile: "\(Self.fixture)/losses.json")
      let values = try #require(json[kind == .lora ? "lora" : "full"])
      let expected = try #require(values["reward"]?.array).compactMap(\.double)
      let head = try #require(json["score"]?.array).compactMap(\.double)
      let score = Tensor(head.map(Float.init), [1, head.count])
      let start: String
      if kind == .lora {
        start = try adapterRun(in: folder)
        let adapter = "\(start)/\(AdapterRun.folderName)"
        try add(score, named: "base_model.model.score.weight", to: "\(adapter)/adapter_model.safetensors")
        let config = "\(adapter)/adapter_config.json"
        let text = try String(contentsOfFile: config, encoding: .utf8)
          .replacing("CAUSAL_LM", with: "SEQ_CLS")
          .replacing("\"modules_to_save\": null", with: "\"modules_to_save\": [\"score\"]")
        try AtomicFile.write(text, to: config)
      } else {
        start = "\(folder)/classifier"
        try FileManager.default.copyItem(atPath: "\(Self.fixture)/model", toPath: start)
        try add(score, named: "score.weight", to: "\(start)/model.safetensors")
      }
      var c = RewardModel.Configuration()
      c.tuning = tuning(kind, rate: try #require(values["learning_rate"]?.double))
      let trainer = try RewardModel(start, data: .init(files: ["\(Self.fixture)/pairs.jsonl"]), c)
      let own = try (0..<10).map { _ in try trainer.step()["loss"]! }
      #expect(expected.count == 10 && expected[9] < 0.1 * expected[0])
      #expect(zip(own, expected).allSatisfy { abs($0 - $1) <= 1e-4 }, "\(own)\n\(expected)")
    }
  }

  private func add(_ tensor: Tensor, named name: String, to file: String) throws {
    var tensors = try SafetensorsFile(path: file).tensors()
    tensors[name] = tensor
    try SafetensorsFile.write(tensors, metadata: [("format", "pt")], to: file)
  }
}

import Foundation
import Nabla

/// Steps of fine-tuning SmolLM2-135M-Instruct with LoRA (r 16, all linear layers) in bfloat16, and TRL's.
///
/// The rows are the first of Anthropic's HH pairs, at most 256 tokens each, in batches of 4; a round is a pass over them,
/// the reference's included. TRL trains the dequantized model, Nabla the quantized one as it is.
enum TuneModels {
  static let model = RunModels.smollm
  static let pairs = URL(filePath: #filePath).appending(path: "../../../../../../shared/data/hh-harmless-test.jsonl.gz")
    .standardized.path
  private static let rowCount = 16

  static let rows = [
    Row(
      name: "tune-dpo", work: "DPO on HH pairs, LoRA; TRL", peer: peer("dpo"), nabla: { try dpo() },
      metrics: metrics("pairs/s")),
    Row(
      name: "tune-sft", work: "SFT on the chosen ones, LoRA; TRL", peer: peer("sft"), nabla: { try sft() },
      metrics: metrics("rows/s")),
    Row(
      name: "tune-grpo", work: "GRPO, 8 completions of 64 tokens, LoRA; TRL", peer: peer("grpo"), nabla: { try grpo() },
      metrics: metrics("completions/s")),
    Row(
      name: "tune-qlora", work: "SFT with LoRA on NF4 (Nabla) against bfloat16 (TRL)", peer: peer("sft"),
      nabla: { try qlora() },
      metrics: metrics("rows/s") + [
        Metric(key: "speed_ratio", label: "speed, of Nabla's LoRA on bfloat16", higherIsBetter: true),
        Metric(key: "base_ratio", label: "bytes of the layers, of bfloat16's", higherIsBetter: false),
      ]),
  ]

  private static func metrics(_ label: String) -> [Metric] {
    [
      Metric(key: "rows_per_second", label: label, higherIsBetter: true),
      Metric(key: "matmul_share", label: "of the rate of matrix products, layers alone", higherIsBetter: true),
      .peakMemory,
    ]
  }

  private static func peer(_ trainer: String) -> Row.Peer {
    let rows = trainer == "grpo" ? 2 : rowCount
    return .init(
      script: "trl_tune.py",
      arguments: ["--model", model, "--data", pairs, "--trainer", trainer, "--rows", "\(rows)"]
        + (trainer == "grpo" ? ["--batch", "8"] : []))
  }

  // MARK: Nabla

  private static func tuning() -> TuningConfiguration {
    var c = TuningConfiguration()
    (c.batchSize, c.maximumLength, c.heldOutFraction, c.learningRate) = (4, 256, 0, 5e-5)
    (c.steps, c.schedule) = (1 << 20, .constant)
    return c
  }

  /// The file of the first pairs.
  private static func data() throws -> TuningData.Description {
    let path = NSTemporaryDirectory() + "nabla-bench-\(ProcessInfo.processInfo.processIdentifier)-rows.jsonl"
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", "gzip -dc \"$1\" | head -n \(rowCount) > \"$2\"", "sh", pairs, path]
    try process.run()
    process.waitUntilExit()
    guard FileManager.default.fileExists(atPath: pairs) else {
      throw PeerError(description: "\(pairs): the rows of these benchmarks are not there")
    }
    return .init(files: [path])
  }

  private static func dpo() throws -> Round {
    let data = try data()
    return {
      var c = DPO.Configuration()
      c.tuning = tuning()
      // Anew each round: a pass over pairs asks the reference once.
      let trainer = try DPO(model, data: data, c)
      var tokens = 0.0
      return try figures(trainer.tuned, passes: 3, tokens: &tokens) { try trainer.step() }
    }
  }

  /// Text of a pair is its chosen completion.
  private static func sft() throws -> Round {
    var c = SFT.Configuration()
    (c.tuning, c.packing) = (tuning(), false)
    let trainer = try SFT(model, data: data(), c)
    var tokens = try trainer.step()["num_tokens"]!
    return { try figures(trainer.tuned, passes: 2, tokens: &tokens) { try trainer.step() } }
  }

  /// LoRA on NF4, and in the same minute on the same layers in bfloat16.
  private static func qlora() throws -> Round {
    var c = SFT.Configuration()
    (c.tuning, c.packing) = (tuning(), false)
    let plain = try SFT(model, data: data(), c)
    for layer in layers(plain.tuned) { layer.weight = layer.weight.cast(.float32).cast(.bfloat16) }
    c.tuning.quantization = .nf4
    let quantized = try SFT(model, data: data(), c)
    func bytes(_ tuned: TunedModel) -> Double {
      layers(tuned).reduce(0) { $0 + Double($1.weight.dtype.byteCount(of: $1.weight.count)) }
    }
    var tokens = (plain: try plain.step()["num_tokens"]!, quantized: try quantized.step()["num_tokens"]!)
    return {
      let bfloat16 = try figures(plain.tuned, passes: 2, tokens: &tokens.plain) { try plain.step() }
      var nf4 = try figures(quantized.tuned, passes: 2, tokens: &tokens.quantized) { try quantized.step() }
      nf4["speed_ratio"] = nf4["rows_per_second"]! / bfloat16["rows_per_second"]!
      nf4["base_ratio"] = bytes(quantized.tuned) / bytes(plain.tuned)
      // Of both trainers together.
      nf4["peak_rss_mib"] = nil
      return nf4
    }
  }

  /// The linear layers of the blocks.
  private static func layers(_ tuned: TunedModel) -> [Linear] {
    tuned.model.namedModules().compactMap { $0.path == "lm_head" ? nil : $0.module as? LoRALinear }
  }

  /// Times the steps of a pass.
  ///
  /// - Parameters:
  ///   - passes: how often a token's products with the layers' weights are made.
  ///   - tokens: how many were read before, and are afterwards.
  private static func figures(
    _ tuned: TunedModel, passes: Int, tokens: inout Double, _ step: () throws -> StepReport
  ) throws -> [String: Double] {
    let (start, before) = (monotonicSeconds(), tokens)
    for _ in 0..<rowCount / 4 { tokens = try step()["num_tokens"]! }
    let seconds = monotonicSeconds() - start
    let weights = tuned.model.parameters().filter { $0.value.rank == 2 && !$0.name.contains("embed_tokens") }
      .reduce(0) { $0 + $1.value.count }
    let rate = 2 * Double(weights * passes) * (tokens - before) / seconds
    return [
      "rows_per_second": Double(rowCount) / seconds, "peak_rss_mib": peakResidentMiB(),
      "matmul_share": rate / productRate(tuned.model.computeType),
    ]
  }

  /// Operations a second of a product of the model's size.
  private static func productRate(_ type: DType) -> Double {
    let (x, weight) = (Tensor.ones([1024, 576]).cast(type), Tensor.ones([1536, 576]).cast(type))
    let seconds = withoutGradient { secondsPerCall(20) { _ = x.linear(weight) } }
    return 2.0 * 1024 * 576 * 1536 / median(seconds)!
  }

  private static func grpo() throws -> Round {
    var c = GRPO.Configuration()
    c.tuning = tuning()
    (c.prompts, c.groupSize, c.maximumTokens, c.tuning.batchSize) = (1, 8, 64, 8)
    let path = NSTemporaryDirectory() + "nabla-bench-\(ProcessInfo.processInfo.processIdentifier)-prompts.jsonl"
    let lines = (0..<2).map {
      #"{"prompt": [{"role": "user", "content": "Tell a story about \#($0) foxes."}]}"# + "\n"
    }
    try lines.joined().write(toFile: path, atomically: true, encoding: .utf8)
    let rewards = WeightedRewards([Reward("length") { Double($0.completion.count % 7) }])
    let trainer = try GRPO(model, data: .init(files: [path]), rewards: rewards, c)
    _ = try trainer.step()
    return {
      let start = monotonicSeconds()
      for _ in 0..<2 { _ = try trainer.step() }
      return ["rows_per_second": 16 / (monotonicSeconds() - start), "peak_rss_mib": peakResidentMiB()]
    }
  }
}

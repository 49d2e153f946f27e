import Foundation
import Nabla

/// Prefill and decoding with SmolLM2-135M-Instruct from its quantized file (`make model`), and with a model
/// of 1.5 billion random weights, which fits in no cache.
enum RunModels {
  static let models = URL(filePath: #filePath).appending(path: "../../../../../.models").standardized.path
  static let smollm = "\(models)/SmolLM2-135M-Instruct.Q4_1.gguf"
  /// Made by the peer's script, whose round comes first.
  static let synthetic = "\(models)/synthetic-1.5B.Q4_K.gguf"

  static let rows = [
    row("smollm2-llama.cpp", of: smollm, "SmolLM2-135M Q4_1; llama.cpp", script: "llama_cpp_model.py"),
    row(
      "smollm2-transformers-bfloat16", of: smollm, "SmolLM2-135M Q4_1; transformers bfloat16",
      script: "transformers_model.py", arguments: ["--precision", "bfloat16"]),
    row(
      "smollm2-transformers-float32", of: smollm, "SmolLM2-135M Q4_1; transformers float32",
      script: "transformers_model.py", arguments: ["--precision", "float32"]),
    row(
      "synthetic-llama.cpp", of: synthetic, "1.5B random weights, Q4_K; llama.cpp", script: "llama_cpp_model.py",
      promptCount: 128, count: 16, streams: nil),
    firstToken,
  ]

  static func row(
    _ name: String, of model: String, _ work: String, script: String, arguments: [String] = [], promptCount: Int = 421,
    count: Int = 64, streams: Int? = 16
  ) -> Row {
    Row(
      name: name, work: "\(work), prompt of \(promptCount)",
      peer: .init(
        script: script, arguments: arguments + ["--model", model, "--prompt", "\(promptCount)", "--count", "\(count)"]),
      nabla: { nabla(model, promptCount: promptCount, count: count, streams: streams) },
      metrics: [
        Metric(key: "prefill", label: "prefill, tokens/s", higherIsBetter: true),
        Metric(key: "decode", label: "decode, tokens/s", higherIsBetter: true),
        Metric(key: "bandwidth", label: "fraction of memory bandwidth, decode", higherIsBetter: true),
        .peakMemory,
      ]
        + (streams.map {
          [
            Metric(key: "samples", label: "decode \($0) completions of it, tokens/s", higherIsBetter: true),
            Metric(
              key: "streams", label: "decode after \($0) prompts of \(promptCount / 8) tokens, tokens/s",
              higherIsBetter: true),
          ]
        } ?? []))
  }

  /// The prompt of both sides: its content does not affect the time.
  static func prompt(_ count: Int, seed: Int = 0) -> [Int32] {
    (0..<count).map { Int32(1000 + ($0 + seed) * 7919 % 40000) }
  }

  @Sendable static func nabla(_ path: String, promptCount: Int, count: Int, streams: Int?) -> Round {
    var loaded: TransformerLM?
    var memory: Double?  // before the streams, and before what measures the bandwidth
    return {
      let model = try loaded ?? TrainedModel(path).model
      loaded = model
      let (read, alone) = try seconds(model, [prompt(promptCount)], count)
      memory = memory ?? peakResidentMiB()
      var figures = [
        "prefill": Double(promptCount) / read, "decode": Double(count - 1) / alone, "peak_rss_mib": memory!,
      ]
      if let streams {
        let written = Double(streams * (count - 1))
        let answers = try seconds(model, Array(repeating: prompt(promptCount), count: streams), count).write
        let together = try seconds(model, (0..<streams).map { prompt(promptCount / 8, seed: $0) }, count).write
        (figures["samples"], figures["streams"]) = (written / answers, written / together)
      }
      let bytes = try FileManager.default.attributesOfItem(atPath: path)[.size] as! NSNumber
      figures["bandwidth"] = bytes.doubleValue * Double(count - 1) / alone / readBandwidth
      return figures
    }
  }

  /// Seconds until the first token of every prompt, and from there until `count` tokens of each.
  private static func seconds(
    _ model: TransformerLM, _ prompts: [[Int32]], _ count: Int
  ) throws -> (read: Double, write: Double) {
    let core = InferenceCore(model)
    for prompt in prompts {
      try core.add(
        TokenRequest(
          prompt: prompt, maximumTokens: count, sampling: SamplingOptions(temperature: 0), random: RandomSource(seed: 1)
        ))
    }
    let start = monotonicSeconds()
    var steps: [InferenceCore.Step] = []
    while steps.count < prompts.count { steps += core.step() }
    let middle = monotonicSeconds()
    while !core.isDone { steps += core.step() }
    precondition(steps.count == count * prompts.count, "a continuation of \(steps.count) tokens")
    return (middle - start, monotonicSeconds() - middle)
  }

  /// Bytes per second read when summing half a gigabyte on all threads.
  private static let readBandwidth: Double = {
    let numbers = Tensor.ones([1 << 13, 1 << 14])
    _ = numbers.sum(axis: 1)
    return Double(numbers.count * 4) / median(secondsPerCall(5) { _ = numbers.sum(axis: 1) })!
  }()

  /// From the start of the process to the first token, with the file in the system's cache.
  static let firstToken = Row(
    name: "smollm2-start",
    work: "SmolLM2-135M Q4_1; llama.cpp in Python; start of the process to the first token",
    peer: .init(script: "llama_cpp_start.py", arguments: ["--model", smollm]),
    nabla: {
      let tool = URL(filePath: #filePath).appending(path: "../../../../../.build/release/nabla").standardized
      return {
        let process = Process()
        let output = Pipe()
        process.executableURL = tool
        process.arguments = ["generate", smollm, "--prompt", "The sky is", "--max-tokens", "1", "--temperature", "0"]
        process.standardOutput = output
        let start = monotonicSeconds()
        do { try process.run() } catch { throw PeerError(description: "\(tool.path): build it first: make demo") }
        let first = output.fileHandleForReading.availableData
        let seconds = monotonicSeconds() - start
        _ = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0, !first.isEmpty else {
          throw PeerError(description: "nabla generate \(smollm) failed; fetch the model with: make model")
        }
        return ["seconds": seconds]
      }
    },
    metrics: [Metric(key: "seconds", label: "seconds", higherIsBetter: false)])
}

import Foundation
import Nabla

/// Loading a tokenizer and encoding with it, compared with Hugging Face's `tokenizers` on the same `tokenizer.json`;
/// and the startup time of a program.
enum LoadTokenizers {
  static let rows = [
    row("tokenizer-smollm2", "SmolLM2's tokenizer.json, 49,152 tokens", path: smollm, encodes: true),
    // Made by the peer's script, whose round comes first.
    row(
      "tokenizer-151k", "tokenizer.json of 151,643 tokens", path: "\(RunModels.models)/synthetic-tokenizer.json",
      encodes: false),
    help,
  ]

  private static let root = URL(filePath: #filePath).appending(path: "../../../../..").standardized.path

  /// SmolLM2's tokenizer from its GGUF file, in the format that both sides read.
  private static let smollm: String = {
    let path = "\(RunModels.models)/smollm2-tokenizer.json"
    if !FileManager.default.fileExists(atPath: path), let text = try? PretrainedTokenizer.load(RunModels.smollm) {
      try? text.tokenizer.tokenizerJSON().write(toFile: path, atomically: true, encoding: .utf8)
    }
    return path
  }()

  private static func row(_ name: String, _ work: String, path: String, encodes: Bool) -> Row {
    let text = encodes ? "\(root)/Sources" : ""
    return Row(
      name: name, work: work,
      peer: .init(script: "tokenizer.py", arguments: ["--tokenizer", path, "--text", text]),
      nabla: { { try round(path, text: text) } },
      metrics: [Metric(key: "load_milliseconds", label: "load, ms", higherIsBetter: false)]
        + (encodes
          ? [
            Metric(key: "encode", label: "encode this repository's Swift, MB/s", higherIsBetter: true),
            Metric(key: "tokens", label: "tokens", higherIsBetter: false),
          ] : []))
  }

  private static func round(_ path: String, text folder: String) throws -> [String: Double] {
    var start = monotonicSeconds()
    let tokenizer = try PretrainedTokenizer.load(path).tokenizer
    var figures = ["load_milliseconds": (monotonicSeconds() - start) * 1e3]
    if folder.isEmpty { return figures }
    let text = try FileManager.default.subpathsOfDirectory(atPath: folder).filter { $0.hasSuffix(".swift") }.sorted()
      .map { try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8) }.joined()
    start = monotonicSeconds()
    let count = try tokenizer.encode(text).count
    figures["encode"] = Double(text.utf8.count) / 1e6 / (monotonicSeconds() - start)
    figures["tokens"] = Double(count)
    return figures
  }

  /// The wall time of `nabla --help`; no model is needed for it.
  private static let help = Row(
    name: "help", work: "nabla --help; importing transformers' classes in Python",
    peer: .init(script: "start.py", arguments: []),
    nabla: {
      {
        let tool = URL(filePath: "\(root)/.build/release/nabla")
        let process = Process()
        process.executableURL = tool
        process.arguments = ["--help"]
        process.standardOutput = FileHandle.nullDevice
        let start = monotonicSeconds()
        do { try process.run() } catch { throw PeerError(description: "\(tool.path): build it first: make demo") }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw PeerError(description: "nabla --help failed") }
        return ["milliseconds": (monotonicSeconds() - start) * 1e3]
      }
    },
    metrics: [.milliseconds])
}

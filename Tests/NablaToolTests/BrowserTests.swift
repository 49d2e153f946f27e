import Foundation
import Nabla
import Testing

/// A Python with playwright and axe: NABLA_PYTHON, or .venv/bin/python; nil where there is none, or no browser.
private let browserPython: String? = {
  let candidates = [ProcessInfo.processInfo.environment["NABLA_PYTHON"], packagePath + "/.venv/bin/python"]
  let check = "import shutil, playwright, axe_playwright_python; assert shutil.which('chromium-headless-shell')"
  return candidates.compactMap { $0 }.first { python in
    FileManager.default.isExecutableFile(atPath: python)
      && (try? Tool.Child([python, "-c", check], environment: [:], input: nil).finish().status) == 0
  }
}()

private let packagePath = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().path

extension ToolTests {
  /// Reports of every kind, in a browser: no complaint on the console, no sideways scroll on a phone, nothing that axe
  /// calls serious, in light and dark. Tests/Browser/check_reports.py says what each kind must show.
  @Suite(.enabled(if: browserPython != nil, "there is no browser for pages: make venv"))
  struct Browser {
    private func check(_ pages: [String]) throws {
      let script = packagePath + "/Tests/Browser/check_reports.py"
      let result = try Tool.Child([try #require(browserPython), script] + pages, environment: [:], input: nil).finish()
      #expect(result.status == 0, "\(result.summary)")
    }

    /// Runs the tool, which must work.
    private func make(_ arguments: [String]) throws {
      let result = try Tool.run(arguments)
      try #require(result.status == 0, "\(result.summary)")
    }

    @Test func languageAndTuning() throws {
      try withFolder { folder in
        try make([
          "pretrain", folder + "/text.txt", "--layers", "2", "--width", "16", "--heads", "2", "--context", "32",
          "--tokenizer", "byte", "--batch-size", "2", "--steps", "40", "--evaluate-every", "10", "--sample-every", "20",
          "--sample-length", "20", "--validation-fraction", "0.1", "--precision", "float32", "--output",
          folder + "/language",
        ])
        let common = [
          "--steps", "4", "--precision", "float32", "--sample-every", "2", "--held-out-fraction", "0.25",
          "--sample-length", "6",
        ]
        let completions = (0..<16).map { #"{"prompt": "\#($0) and", "completion": " more"}"# }
        try write(Array(completions.joined(separator: "\n").utf8), to: folder + "/completions.jsonl")
        try make(
          [
            "sft", folder + "/language", "--data", folder + "/completions.jsonl", "--max-length", "32", "--lora-rank",
            "2", "--output", folder + "/sft",
          ] + common)
        let pairs = (0..<16).map { #"{"prompt": "\#($0) is", "chosen": " a", "rejected": " bc"}"# }
        try write(Array(pairs.joined(separator: "\n").utf8), to: folder + "/pairs.jsonl")
        try make(
          [
            "dpo", folder + "/language", "--data", folder + "/pairs.jsonl", "--max-length", "32", "--lora-rank", "2",
            "--output", folder + "/dpo",
          ] + common)
        try write(Array(GRPOTool.rows.utf8), to: folder + "/rows.jsonl")
        try make(
          [
            "grpo", folder + "/language", "--data", folder + "/rows.jsonl", "--reward", "regex:[a-z]", "--output",
            folder + "/grpo",
          ] + GRPOTool.flags)
        try write(Array(RLHFTool.prompts.joined(separator: "\n").utf8), to: folder + "/prompts.jsonl")
        try make(
          ["reward", folder + "/language", "--data", folder + "/pairs.jsonl", "--output", folder + "/reward"]
            + RLHFTool.reward)
        try make(
          [
            "rlhf", folder + "/language", "--data", folder + "/prompts.jsonl", "--reward-model", folder + "/reward",
            "--output", folder + "/rlhf",
          ] + RLHFTool.rlhf)
        let kinds = ["language", "sft", "reward", "dpo", "grpo", "rlhf"]
        try check(kinds.map { "\($0)=\(folder)/\($0)/report.html" })
      }
    }

    @Test func policies() throws {
      try withFolder { folder in
        try make(ReinforcementLearning.small + ["--output", folder + "/policy"])
        try make(ReinforcementLearning.small + ["--seeds", "2", "--output", folder + "/study"])
        // A name of an action from outside that would be markup.
        let file = folder + "/policy/policy-analysis.json"
        let attack = "<img src=x onerror=\\\"window.stolen = true\\\">"
        let analysis = try readText(file)
        try FileManager.default.copyItem(atPath: folder + "/policy", toPath: folder + "/hostile")
        let changed = analysis.replacingOccurrences(of: "\"left\"", with: "\"\(attack)\"")
        try #require(changed != analysis)
        try write(Array(changed.utf8), to: folder + "/hostile/policy-analysis.json")
        try make(["report", folder + "/hostile"])
        try check(["policy", "study", "hostile"].map { "\($0)=\(folder)/\($0)/report.html" })
      }
    }

    @Test func diffusionAndScaling() throws {
      try withFolder { folder in
        try make(
          ["diffusion", "train", "eight-gaussians", "--objective", "flow", "--output", folder + "/diffusion"]
            + Diffusion.small + ["--evaluate-every", "20", "--sample-every", "20"])
        let table = packagePath + "/Examples/ScalingLaws/chinchilla-figure-4.csv"
        try make(["scaling", "show", table, "--output", folder + "/scaling.html"])
        try check(["diffusion=\(folder)/diffusion/report.html", "scaling=\(folder)/scaling.html"])
      }
    }

    /// Nabla Studio: every step, keys, addresses, live training, connection, export. Tests/Browser/check_studio.py.
    @Test func studio() throws {
      let script = packagePath + "/Tests/Browser/check_studio.py"
      let program = Tool.path + "-studio"
      let result = try Tool.Child([try #require(browserPython), script, program], environment: [:], input: nil).finish()
      #expect(result.status == 0, "\(result.summary)")
    }
  }
}

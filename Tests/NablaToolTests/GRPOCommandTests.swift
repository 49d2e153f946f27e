import Foundation
import Nabla
import Testing

extension ToolTests {
  @Suite struct GRPOTool {
    static let flags = [
      "--prompts", "2", "--group-size", "4", "--max-new-tokens", "6", "--steps", "4", "--adapter", "none",
      "--precision", "float32", "--iterations", "2", "--beta", "0.1", "--held-out-fraction", "0.25", "--learning-rate",
      "1e-3",
    ]
    static let rows = (0..<8).map { #"{"prompt": "\#($0) and", "answer": "\#($0)"}"# }.joined(separator: "\n")

    private func use(_ rows: String = rows, _ body: (_ folder: String, _ arguments: [String]) throws -> Void) throws {
      try withFolder { folder in
        try Tool.train(folder + "/text.txt", output: folder + "/base", ["--steps", "2"])
        try write(Array(rows.utf8), to: folder + "/rows.jsonl")
        try body(folder, ["grpo", folder + "/base", "--data", folder + "/rows.jsonl"])
      }
    }

    /// A run that is stopped in the middle of a rollout resumes to the same weights.
    @Test func trainsStopsAndResumes() throws {
      try use { folder, arguments in
        let command =
          arguments + Self.flags + ["--reward", "length:2-4~3", "regex:[a-z]", "--reward-weight", "1", "0.5"]
        let whole = try Tool.run(command + ["--output", folder + "/whole"])
        #expect(whole.status == 0 && whole.errors.contains("held out: reward"), "\(whole.summary)")
        let parts = folder + "/parts"
        #expect(try Tool.run(command + ["--output", parts, "--stop-after", "3"]).status == 0)
        let resumed = try Tool.run(["grpo", "--resume", parts])
        #expect(resumed.status == 0, "\(resumed.summary)")
        #expect(try weights(parts) == weights(folder + "/whole"))
        let lines = try readText(parts + "/metrics.jsonl")
        let names = [
          "reward", "kl", "frac_reward_zero_std", "rewards/length/mean", "rewards/regex/mean", "eval_reward",
        ]
        for name in names { #expect(lines.contains("\"\(name)\":"), "\(name)") }
        #expect(try readText(parts + "/samples/step-00000004.txt").contains("-- reward "))
        #expect(try readText(parts + "/report.html").contains("Completion length"))
      }
    }

    /// Lists in a file are as many values of a flag; the command line's replace them.
    @Test func rewardsOfAConfigurationFile() throws {
      try use { folder, _ in
        let yaml = """
          data: ["\(folder)/rows.jsonl"]
          reward: ["regex:[a,b]", json]
          reward-weight: [1, -0.5]
          """
        try write(Array(yaml.utf8), to: folder + "/grpo.yaml")
        func rewards(_ run: String, _ flags: [String]) throws -> [RewardDescription] {
          let path = folder + "/" + run
          let result = try Tool.run(
            ["grpo", folder + "/base", "--config", folder + "/grpo.yaml", "--output", path, "--stop-after", "1"]
              + Self.flags + flags)
          try #require(result.status == 0, "\(result.summary)")
          return try RunFolder.open(path).configuration(as: GRPO.Setup.self).judge.rewards
        }
        #expect(
          try rewards("file", []) == [RewardDescription("regex:[a,b]"), RewardDescription("json", weight: -0.5)])
        #expect(
          try rewards("flags", ["--reward", "length:1-20", "--reward-weight=2"])
            == [RewardDescription("length:1-20", weight: 2)])

        try write(Array("reward: json\nreward_weight: [1, much]".utf8), to: folder + "/grpo.yaml")
        let bad = try Tool.run(["grpo", folder + "/base", "--config", folder + "/grpo.yaml"])
        #expect(bad.status == 64, "\(bad.summary)")
        for text in ["grpo.yaml, line 2", "--reward-weight", "much"] {
          #expect(bad.errors.contains(text), "\(bad.summary)")
        }
      }
    }

    @Test func badInput() throws {
      try use { folder, arguments in
        func refused(_ flags: [String], _ status: Int32, _ message: String) throws {
          let result = try Tool.run(arguments + Self.flags + flags + ["--output", folder + "/run"])
          #expect(result.status == status && result.errors.contains(message), "\(result.summary)")
          #expect(!FileManager.default.fileExists(atPath: folder + "/run/checkpoints/step-00000001"))
        }
        try refused([], 64, "name a reward function with --reward")
        try refused(["--reward", "numerics"], 64, "the nearest is \"numeric\"")
        try refused(["--reward", "regex:("], 64, "is not a regular expression")
        try refused(["--reward", "json", "--reward-weight", "1", "2"], 64, "2 weights for 1 reward functions")
        try refused(["--reward", "json", "--group-size", "1"], 64, "--group-size must be between 2")
        try refused(["--reward", "numeric:sum"], 1, "the row has no text in \"sum\"")
        try refused(["--reward", "command:echo nan"], 1, "is not a finite number")
        try refused(["--reward", "command:exit 3"], 1, "exit status 3")
        try refused(["--reward", "json", "--max-new-tokens", "14"], 1, "the prompt has 5 tokens")
      }
      try use("{\"text\": \"no prompt\"}") { folder, arguments in
        let result = try Tool.run(arguments + Self.flags + ["--reward", "json", "--output", folder + "/run"])
        let message = "rows.jsonl, line 1: expected a prompt"
        #expect(result.status == 1 && result.errors.contains(message), "\(result.summary)")
      }
    }
  }
}

import Foundation
import Nabla
import Testing

extension ToolTests {
  /// `nabla reward`, `rlhf` and `compare` on a model of bytes.
  @Suite struct RLHFTool {
    static let small = [
      "--adapter", "lora", "--lora-rank", "2", "--precision", "float32", "--held-out-fraction", "0.25",
    ]
    static let reward = small + ["--steps", "4", "--batch-size", "2", "--max-length", "16"]
    static let rlhf =
      small + [
        "--prompts", "4", "--max-new-tokens", "5", "--steps", "3", "--batch-size", "2", "--ppo-epochs", "2",
      ]
    static let pairs = (0..<8).map { #"{"prompt": "\#($0)?", "chosen": "ab", "rejected": "ba\#($0)"}"# }
    static let prompts = (0..<8).map { #"{"prompt": "\#($0)?", "answer": "\#($0)"}"# }

    private func use(
      _ pairs: [String] = pairs,
      _ body: (_ folder: String, _ base: String, _ pairs: String, _ prompts: String) throws -> Void
    ) throws {
      try withFolder { folder in
        try Tool.train(folder + "/text.txt", output: folder + "/base", ["--steps", "2"])
        try write(Array(pairs.joined(separator: "\n").utf8), to: folder + "/pairs.jsonl")
        try write(Array(Self.prompts.joined(separator: "\n").utf8), to: folder + "/prompts.jsonl")
        try body(folder, folder + "/base", folder + "/pairs.jsonl", folder + "/prompts.jsonl")
      }
    }

    /// A reward model, a policy that learns from it, stopped and resumed, and the page that compares it with its base.
    @Test func theWholeChain() throws {
      try use { folder, base, pairs, prompts in
        let judge = folder + "/reward"
        let trained = try Tool.run(["reward", base, "--data", pairs, "--output", judge] + Self.reward)
        #expect(
          trained.status == 0 && trained.errors.contains("% accuracy (95 % interval"), "\(trained.summary)")
        #expect(try readText(judge + "/model/config.json").contains("ForSequenceClassification"))
        #expect(try readText(judge + "/metrics.jsonl").contains("\"eval_calibration_error\":"))
        let updates = try Tool.run(["inspect", judge])
        #expect(updates.status == 0 && updates.output.contains("PEFT adapter: LoRA, r 2"), "\(updates.summary)")
        let chat = try Tool.run(["generate", judge, "--prompt", "a"])
        #expect(chat.status == 1 && chat.errors.contains("reward model"), "\(chat.summary)")

        let command =
          ["rlhf", base, "--data", prompts, "--reward-model", judge, "--reward", "regex:[a-z]", "--kl-target", "2"]
          + Self.rlhf
        let whole = try Tool.run(command + ["--output", folder + "/whole"])
        #expect(whole.status == 0 && whole.errors.contains("held out: score"), "\(whole.summary)")
        let parts = folder + "/parts"
        #expect(try Tool.run(command + ["--output", parts, "--stop-after", "2"]).status == 0)
        let resumed = try Tool.run(["rlhf", "--resume", parts])
        #expect(resumed.status == 0, "\(resumed.summary)")
        let adapter = "/adapter/adapter_model.safetensors"
        #expect(
          try Data(contentsOf: URL(fileURLWithPath: parts + adapter))
            == Data(contentsOf: URL(fileURLWithPath: folder + "/whole" + adapter)))
        let metrics = try readText(parts + "/metrics.jsonl")
        for name in [
          "loss", "objective/kl", "objective/entropy", "objective/rlhf_reward", "objective/scores",
          "policy/approxkl_avg",
          "policy/clipfrac_avg", "loss/policy_avg", "loss/value_avg", "val/ratio", "eps", "kl_coefficient",
          "rewards/regex/mean", "rewards/reward_model/mean",
        ] {
          #expect(metrics.contains("\"\(name)\":"), "\(name)")
        }

        let page = folder + "/page.html"
        let compared = try Tool.run([
          "compare", base, parts, "--data", prompts, "--reference", base, "--reward-model", judge, "--reward",
          "regex:[a-z]", "--prompts", "4", "--max-new-tokens", "5", "--output", page,
        ])
        #expect(compared.status == 0 && compared.output.contains("parts"), "\(compared.summary)")
        let html = try readText(page)
        #expect(
          html.contains("Reward against divergence") && html.contains("KL, nats") && html.contains("reward model"))
      }
    }

    /// Runs that were started with relative paths, moved along with what they name, and resumed from another working
    /// directory give the bits of runs that were never stopped; without what they name, they say what is missing.
    @Test func runsThatHaveMoved() throws {
      try use { folder, _, _, _ in
        let moved = folder + "/elsewhere/moved"
        let (reward, rlhf) = (Self.reward.joined(separator: " "), Self.rlhf.joined(separator: " "))
        func run(_ script: String) throws {
          let result = try Tool.shell("set -e; " + script, [folder, moved])
          #expect(result.status == 0, "\(result.summary)")
        }
        try run(
          """
          cd "$1"; mkdir tree elsewhere; mv base pairs.jsonl prompts.jsonl tree; cd tree
          "$nabla" reward base --data pairs.jsonl --output whole-reward \(reward)
          "$nabla" reward base --data pairs.jsonl --output runs/reward \(reward) --stop-after 2
          mv "$1/tree" "$2"; cd /
          "$nabla" reward --resume "$2/runs/reward"
          """)
        try run(
          """
          mv "$2" "$1/tree"; cd "$1/tree"
          "$nabla" rlhf base --data prompts.jsonl --reward-model runs/reward --output whole-rlhf \(rlhf)
          "$nabla" rlhf base --data prompts.jsonl --reward-model runs/reward --output runs/rlhf \(rlhf) --stop-after 1
          mv "$1/tree" "$2"; cd "$2/runs"
          "$nabla" rlhf --resume rlhf
          """)
        for name in ["reward", "rlhf"] {
          let weights = "/adapter/adapter_model.safetensors"
          #expect(try readBytes("\(moved)/runs/\(name)\(weights)") == readBytes("\(moved)/whole-\(name)\(weights)"))
        }
        for part in ["runs/reward", "base"] {
          try FileManager.default.removeItem(atPath: "\(moved)/\(part)")
          let lost = try Tool.run(["rlhf", "--resume", moved + "/runs/rlhf"])
          #expect(lost.status == 1 && lost.errors.contains(part), "\(lost.summary)")
        }
      }
    }

    @Test func badInput() throws {
      try use { folder, base, pairs, prompts in
        func refused(_ command: [String], _ status: Int32, _ message: String) throws {
          let result = try Tool.run(command + ["--output", folder + "/run"])
          #expect(result.status == status && result.errors.contains(message), "\(result.summary)")
          #expect(!FileManager.default.fileExists(atPath: folder + "/run/checkpoints/step-00000001"))
        }
        let reward = ["reward", base, "--data"]
        try refused(["reward", base], 64, "--data")
        try refused(reward + [prompts] + Self.reward, 1, "this trainer requires pairs")
        try refused(reward + [pairs] + Self.reward + ["--centering", "-1"], 64, "--centering must be 0 or more")
        try refused(reward + [pairs, "--max-length", "4"] + Self.small, 1, "longer than the maximum length")
        let rlhf = ["rlhf", base, "--data", prompts] + Self.rlhf
        try refused(rlhf, 64, "--reward-model")
        try refused(rlhf + ["--reward-model", base], 1, "is not a reward model")
        try refused(rlhf + ["--reward-model", folder + "/nothing"], 1, "nothing")
        try refused(rlhf + ["--reward", "numeric:sum"], 1, "the row has no text in \"sum\"")
        try refused(rlhf + ["--reward", "command:echo nan"], 1, "is not a finite number")
        try refused(rlhf + ["--reward", "json", "--mini-batches", "9"], 64, "--mini-batches is 9")
        try refused(rlhf + ["--reward", "json", "--lambda", "2"], 64, "--lambda must be between 0")
        let weight = ["--reward", "json", "--reward-model-weight", "3"]
        try refused(rlhf + weight, 64, "--reward-model-weight is for a reward model")
        let target = ["--reward", "json", "--kl-coefficient", "0", "--kl-target", "6"]
        try refused(rlhf + target, 64, "--kl-coefficient must be more than 0 with --kl-target")
        let compare = try Tool.run(["compare", base, "--data", prompts])
        #expect(compare.status == 64 && compare.errors.contains("--reward"), "\(compare.summary)")
        // Scores are compared one by one: there is no sum to weigh them in.
        let weighed = try Tool.run([
          "compare", base, "--data", prompts, "--reward", "json", "--reward-weight", "2",
        ])
        #expect(
          weighed.status == 64 && weighed.errors.contains("Unknown option '--reward-weight'"), "\(weighed.summary)")
      }
      // Equal completions teach nothing, and are told of; a row that is no pair is refused.
      for (row, status, message) in [
        (#"{"prompt": "a", "chosen": "same", "rejected": "same"}"#, Int32(0), "pairs.jsonl, line 9"),
        (#"{"prompt": "a", "chosen": "b"}"#, 1, "line 9"),
      ] {
        try use(Self.pairs + [row]) { folder, base, pairs, _ in
          let result = try Tool.run(["reward", base, "--data", pairs, "--output", folder + "/run"] + Self.reward)
          #expect(result.status == status && result.errors.contains(message), "\(result.summary)")
        }
      }
    }
  }
}

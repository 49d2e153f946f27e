import Foundation
import Nabla
import Testing

extension ToolTests {
  @Suite struct AlignmentCommands {
    @Test(arguments: ["sft", "dpo"]) func wrongUsage(command: String) throws {
      #expect(try Tool.run([command]).status == 64)
      #expect(try Tool.run([command, "model.gguf"]).errors.contains("--data"))
      let rate = try Tool.run([command, "model.gguf", "--data", "rows.jsonl", "--learning-rate", "0"])
      #expect(rate.status == 64 && rate.errors.contains("--learning-rate must be positive"), "\(rate.summary)")
      let both = try Tool.run([
        command, "model.gguf", "--data", "rows.jsonl", "--adapter", "none", "--quantize", "nf4",
      ])
      #expect(both.status == 64 && both.errors.contains("--quantize is for adapters"), "\(both.summary)")
      let missing = try Tool.run([command, "nothing.gguf", "--data", "rows.jsonl"])
      #expect(missing.status == 1 && missing.errors.contains("nothing.gguf"), "\(missing.summary)")
    }

    /// A resumed run has its own: a flag is never ignored.
    @Test(arguments: [
      ["sft", "--chat-template", "transcript"], ["rlhf", "--chat-template", "transcript"],
      ["dpo", "--truncation", "keep-start"], ["reward", "--truncation", "keep-end"],
      ["grpo", "--reward-model-weight", "3"], ["rlhf", "--reward-model-weight", "1"],
    ])
    func settingsOfAResumedRun(_ arguments: [String]) throws {
      let result = try Tool.run([arguments[0], "--resume", "runs/nothing"] + arguments.dropFirst())
      #expect(result.status == 64 && result.errors.contains("leave out \(arguments[1])"), "\(result.summary)")
    }

    @Test func mergeNeedsAnAdapter() throws {
      #expect(try Tool.run(["merge", "a", "b"]).status == 64)
      let missing = try Tool.run(["merge", "nothing.gguf", "b", "c"])
      #expect(missing.status == 1 && missing.errors.contains("nothing.gguf"), "\(missing.summary)")
    }

    /// GRPO's prompts are not truncated: the flag is not there.
    @Test func grpoDoesNotTruncate() throws {
      let result = try Tool.run(["grpo", "m.gguf", "--data", "x.jsonl", "--reward", "json", "--truncation", "keep-end"])
      #expect(result.status == 64 && result.errors.contains("Unknown option '--truncation'"), "\(result.summary)")
    }

    /// Runs `body` with a model that has a chat template and two runs that trained an adapter for it.
    private func withAdapters(_ body: (_ folder: String, _ model: String, _ runs: [String]) throws -> Void) throws {
      try withFolder { folder in
        try Tool.train(
          folder + "/text.txt", output: folder + "/base",
          ["--tokenizer", "bpe", "--vocabulary", "300", "--context", "64", "--steps", "60"])
        let model = folder + "/base/model"
        let template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\\n{% endfor %}"
        let configuration = #"{"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": "\#(template)"}"#
        try write(Array(configuration.utf8), to: model + "/tokenizer_config.json")
        let runs = try ["fox", "dog"].map { word in
          let rows = folder + "/\(word).jsonl"
          try write(Array(#"{"prompt": "user: Line\n", "completion": "\#(word) \#(word)"}"#.utf8), to: rows)
          let result = try Tool.run([
            "sft", model, "--data", rows, "--output", folder + "/" + word, "--steps", "160", "--learning-rate", "3e-3",
            "--held-out-fraction", "0", "--max-length", "64", "--precision", "float32", "--sample-length", "0",
          ])
          #expect(result.status == 0, "\(result.summary)")
          return folder + "/" + word
        }
        try body(folder, model, runs)
      }
    }

    /// One model in memory answers as each adapter would beside a model of its own, and as the bare model.
    @Test func chatSwitchesAdapters() throws {
      try withAdapters { _, model, runs in
        let flags = ["--max-tokens", "6", "--temperature", "0", "--precision", "float32"]
        let alone = try ([[], ["--adapter", runs[0]], ["--adapter", runs[1]]]).map { adapter in
          try Tool.run(["chat", model, "--prompt", "Line"] + adapter + flags).output
        }
        #expect(alone[1].contains("fox") && alone[2].contains("dog") && alone[0] != alone[1], "\(alone)")
        let turns = "Line\n/reset\n/adapter dog\nLine\n/reset\n/adapter none\nLine\n/reset\n/adapter 1\nLine\n"
        let all = try Tool.run(
          ["chat", model, "--adapter", runs[0], "--adapter", runs[1]] + flags, input: Array(turns.utf8))
        #expect(all.status == 0 && all.output == alone[1] + alone[2] + alone[0] + alone[1], "\(all.summary)")
        let unknown = try Tool.run(["chat", model, "--adapter", runs[0]] + flags, input: Array("/adapter cat\n".utf8))
        #expect(unknown.status == 1 && unknown.errors.contains("no adapter \"cat\""), "\(unknown.summary)")
        let two = try Tool.run(["generate", model, "--adapter", runs[0], "--adapter", runs[1]])
        #expect(two.status == 64 && two.errors.contains("one at a time"), "\(two.summary)")
      }
    }

    /// The chat template that an adapter was trained with counts beside the base model too.
    @Test func theTemplateOfAnAdapter() throws {
      try withAdapters { folder, model, runs in
        let template = "{% for m in messages %}a long heading {{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
        try write(Array(template.utf8), to: folder + "/long.jinja")
        let trained = try Tool.run([
          "sft", model, "--data", folder + "/fox.jsonl", "--output", folder + "/long", "--steps", "1",
          "--held-out-fraction", "0", "--max-length", "64", "--sample-length", "0", "--chat-template",
          folder + "/long.jinja",
        ])
        #expect(trained.status == 0, "\(trained.summary)")
        func prefill(_ arguments: [String]) throws -> Substring? {
          let result = try Tool.run(["chat", "--prompt", "Line", "--max-tokens", "2", "--verbose"] + arguments)
          return result.errors.split(separator: "\n").first { $0.hasPrefix("prefill") }?.split(separator: " ")[1]
        }
        let own = try prefill([folder + "/long"])
        #expect(try own != nil && prefill([model, "--adapter", folder + "/long"]) == own)
        #expect(try prefill([model, "--adapter", runs[0]]) != own)
      }
    }

    /// A run stands for its adapter where that is shown, and for its base model where that is used.
    @Test func runsAreNamedInPlaceOfModels() throws {
      try withAdapters { folder, model, runs in
        let shown = try Tool.run(["inspect", runs[0]])
        #expect(shown.status == 0 && shown.output.contains("PEFT adapter: LoRA, r 16"), "\(shown.summary)")
        #expect(try Tool.run(["inspect", runs[0] + "/adapter"]).output == shown.output)
        let tokens = try Tool.run(["tokenize", runs[0], "--text", "Line 7"])
        #expect(tokens.status == 0, "\(tokens.summary)")
        #expect(try Tool.run(["tokenize", model, "--text", "Line 7"]).output == tokens.output)
        let audit = try Tool.run(["audit", folder + "/fox.jsonl", "--model", runs[0]])
        #expect(audit.status == 0 && audit.output.contains("fox fox"), "\(audit.summary)")
      }
    }

    @Test func mergesIntoATypeAndSaysWhatThatCosts() throws {
      try withAdapters { folder, model, runs in
        var sizes: [Int] = []
        for type in ["bf16", "f32"] {
          let output = folder + "/" + type
          let merged = try Tool.run(["merge", model, runs[0], output, "--type", type])
          #expect(merged.status == 0 && merged.errors.contains("of \(type) to "), "\(merged.summary)")
          #expect(merged.errors.contains("rounding to bfloat16") == (type == "bf16"), "\(merged.summary)")
          let answer = try Tool.run(["chat", output, "--prompt", "Line", "--max-tokens", "6", "--temperature", "0"])
          #expect(answer.output.contains("fox"), "\(answer.summary)")
          sizes.append(try Data(contentsOf: URL(fileURLWithPath: output + "/model.safetensors")).count)
        }
        #expect(sizes[0] < sizes[1] * 6 / 10)
      }
    }

    /// A run and the model it names, moved together, are found; a run alone says what it misses.
    @Test func runsThatHaveMoved() throws {
      try withAdapters { folder, _, runs in
        let (tree, moved) = (folder + "/tree", folder + "/moved")
        try FileManager.default.createDirectory(atPath: tree + "/runs", withIntermediateDirectories: true)
        for name in ["base", "fox.jsonl"] {
          try FileManager.default.moveItem(atPath: "\(folder)/\(name)", toPath: "\(tree)/\(name)")
        }
        let flags = ["--max-tokens", "6", "--temperature", "0", "--precision", "float32"]
        let run = try Tool.run([
          "sft", tree + "/base/model", "--data", tree + "/fox.jsonl", "--output", tree + "/runs/sft", "--steps", "160",
          "--learning-rate", "3e-3", "--held-out-fraction", "0", "--max-length", "64", "--precision", "float32",
          "--sample-length", "0", "--stop-after", "40",
        ])
        #expect(run.status == 0, "\(run.summary)")
        try FileManager.default.moveItem(atPath: tree, toPath: moved)
        let resumed = try Tool.run(["sft", "--resume", moved + "/runs/sft"])
        #expect(resumed.status == 0, "\(resumed.summary)")
        let answer = try Tool.run(["chat", moved + "/runs/sft", "--prompt", "Line"] + flags)
        #expect(answer.output.contains("fox"), "\(answer.summary)")
        try FileManager.default.removeItem(atPath: moved + "/base")
        let lost = try Tool.run(["chat", moved + "/runs/sft", "--prompt", "Line"] + flags)
        #expect(lost.status == 1 && lost.errors.contains("base/model"), "\(lost.summary)")
      }
    }

    @Test func adaptersBecomeGGUF() throws {
      let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/trl_steps").path
      try withFolder { folder in
        let output = folder + "/adapter.gguf"
        let made = try Tool.run(["convert", fixture + "/adapter", output, "--base", fixture + "/model"])
        #expect(made.status == 0 && made.errors.contains("14 layers"), "\(made.summary)")
        let file = try GGUFFile(path: output)
        #expect(file.metadata["general.type"]?.string == "adapter" && file.metadata["adapter.lora.alpha"]?.double == 8)
        #expect(file.contains("blk.1.ffn_down.weight.lora_b"))
        func refused(_ arguments: [String], _ status: Int32, _ message: String) throws {
          let result = try Tool.run(["convert"] + arguments)
          #expect(result.status == status && result.errors.contains(message), "\(result.summary)")
        }
        try refused([fixture + "/adapter", output, "--base", fixture + "/model"], 1, "already exists")
        try refused([fixture + "/adapter", folder + "/b.gguf"], 64, "with --base")
        try refused([fixture + "/adapter", folder + "/b", "--base", fixture + "/model"], 64, "in .gguf")
        try refused(
          [fixture + "/model", folder + "/b.gguf", "--base", fixture + "/model"], 64, "--base is for adapters")
      }
    }
  }
}

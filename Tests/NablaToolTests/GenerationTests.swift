import Foundation
import Nabla
import Testing

extension ToolTests {
  /// `nabla chat`, `generate`, `evaluate` and `tokenize` with one small model.
  @Suite struct Generation {
    /// Runs `body` in a folder with a model of 300 tokens that has learned the test's text and has a chat template.
    private func withModel(_ body: (_ folder: String, _ model: String) throws -> Void) throws {
      try withFolder { folder in
        try Tool.train(
          folder + "/text.txt", output: folder + "/run",
          ["--tokenizer", "bpe", "--vocabulary", "300", "--context", "64", "--steps", "60"])
        let model = folder + "/run/model"
        let template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\\n{% endfor %}"
        let configuration = #"{"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": "\#(template)"}"#
        try write(Array(configuration.utf8), to: model + "/tokenizer_config.json")
        try body(folder, model)
      }
    }

    /// The same seed writes the same text, alone, beside others, and as an answer to the prompt the template makes. (In
    /// float32: batches of other sizes round otherwise, which in bfloat16 may change the likeliest token.)
    @Test func writes() throws {
      try withModel { folder, model in
        let flags = ["--max-tokens", "12", "--temperature", "0", "--precision", "float32"]
        let plain = try Tool.run(["generate", model, "--prompt", "Line 7: the"] + flags)
        #expect(plain.status == 0 && plain.output.hasPrefix("Line 7: the"), "\(plain.summary)")
        #expect(plain.output.contains("quick"), "\(plain.summary)")
        let many = try Tool.run(["generate", model, "--prompt", "Line 7: the", "--count", "3"] + flags)
        #expect(many.output.components(separatedBy: plain.output).count == 4, "\(many.summary)")
        try write(Array(#"[{"role": "user", "content": "Line"}]"#.utf8), to: folder + "/messages.json")
        let rendered = try Tool.run(["tokenize", model, "--chat", folder + "/messages.json", "--json"])
        #expect(rendered.status == 0 && rendered.output.contains(#"user: Line\n"#), "\(rendered.summary)")
        let answer = try Tool.run(["chat", model, "--prompt", "Line"] + flags)
        let same = try Tool.run(["generate", model, "--prompt", "user: Line\n"] + flags)
        #expect(answer.status == 0 && same.output == "user: Line\n" + answer.output, "\(answer.summary)\(same.summary)")
      }
    }

    /// Lines of standard input are messages; the second answer sees the first exchange.
    @Test func talks() throws {
      try withModel { _, model in
        let flags = ["--max-tokens", "5", "--temperature", "0", "--precision", "float32"]
        let both = try Tool.run(["chat", model] + flags, input: Array("Line\n\nfox\n/reset\nLine\n".utf8))
        #expect(both.status == 0, "\(both.summary)")
        let one = try Tool.run(["chat", model, "--prompt", "Line"] + flags)
        let first = String(one.output.dropLast())
        let two = try Tool.run(
          ["generate", model, "--prompt", "user: Line\nassistant: \(first)\nuser: fox\n"] + flags)
        let second = two.output.components(separatedBy: "user: fox\n").last!
        #expect(both.output == one.output + second + one.output, "\(both.summary)")
      }
    }

    /// A line without an answer makes a piped conversation fail, which goes on all the same.
    @Test func failsWhereALineHasNoAnswer() throws {
      try withModel { _, model in
        let flags = ["--max-tokens", "5", "--temperature", "0"]
        let long = String(repeating: "fox ", count: 100)
        for line in [Array("\(long)\n".utf8), [0xFF, 0xFE, 0x0A]] {
          let result = try Tool.run(["chat", model] + flags, input: line + Array("/reset\nLine\n".utf8))
          #expect(result.status == 1 && !result.output.isEmpty, "\(result.summary)")
        }
      }
    }

    /// Texts may begin with a minus, and like a flag.
    @Test func takesTextsWithAMinus() throws {
      try withModel { _, model in
        for text in ["- item", "--count"] {
          let result = try Tool.run(["generate", model, "--prompt", text, "--max-tokens", "1"])
          #expect(result.status == 0 && result.output.hasPrefix(text), "\(result.summary)")
          #expect(try Tool.run(["tokenize", model, "--text", text, "--count"]).status == 0)
        }
      }
    }

    /// After Ctrl-C each continuation is printed as far as it came. An untrained model ends its texts by chance: when the
    /// first has ended, most of the others have some way to go.
    @Test func printsWhatThereIs() throws {
      try Tool.growing { scale in
        try withFolder { folder in
          try Tool.train(
            folder + "/text.txt", output: folder + "/run",
            ["--context", "1024", "--width", "256", "--heads", "4", "--layers", "4", "--steps", "1"])
          let child = try Tool.start(
            ["generate", folder + "/run", "--prompt", "Line", "--count", "\(64 * scale)", "--max-tokens", "1000"]
              + ["--seed", "\(scale)", "--json"])
          try child.wait { $0.output.contains("\n") || !$0.process.isRunning }
          child.signal(SIGINT)
          let result = try child.finish()
          let cancelled = result.output.components(separatedBy: #""reason":"cancelled""#).count - 1
          if result.status == 0 || cancelled < 2 { return false }
          #expect(result.status == 130, "\(result.summary)")
          #expect(result.output.components(separatedBy: "\n").count == 64 * scale + 1, "\(result.summary)")
          return true
        }
      }
    }

    /// Exponentials of all tokens' log-probabilities add up to 1, and the greedy choice is the likeliest.
    @Test func logProbabilities() throws {
      try withModel { _, model in
        let result = try Tool.run(
          ["generate", model, "--prompt", "Line", "--max-tokens", "3", "--temperature", "0", "--json"]
            + ["--log-probabilities", "300"])
        let object = try JSONValue(parsing: result.output)
        let steps = try #require(object["log_probabilities"]?.array, "\(result.summary)")
        #expect(steps.count == 3 && object["reason"]?.string == "length")
        for (step, token) in zip(steps, object["tokens"]?.array ?? []) {
          let best = try #require(step["top"]?.array)
          #expect(abs(best.reduce(0) { $0 + exp($1["log_probability"]!.double!) } - 1) < 1e-4)
          #expect(
            best[0]["token"] == token && step["log_probability"] == best[0]["log_probability"], "\(result.summary)")
        }
      }
    }

    /// A text of two tokens takes a moment whatever the model's context, and choices are told apart.
    @Test func evaluates() throws {
      try withModel { folder, model in
        try write(Array("Line 3".utf8), to: folder + "/short.txt")
        let short = try Tool.run(["evaluate", model, "--data", folder + "/short.txt", "--json"])
        #expect(short.status == 0, "\(short.summary)")
        let piped = try Tool.shell(
          #"cat "$2" | "$nabla" evaluate "$1" --data /dev/stdin --json"#, [model, folder + "/short.txt"])
        #expect(piped.output == short.output, "\(piped.summary)")
        let question = #"{"question": "the quick brown", "choices": ["dog", "fox jumps"], "answer": "fox jumps"}"#
        try write(Array((question + "\n").utf8), to: folder + "/choices.jsonl")
        let choices = try Tool.run(["evaluate", model, "--choices", folder + "/choices.jsonl", "--json"])
        #expect(try JSONValue(parsing: choices.output)["normalized_accuracy"]?.double == 1, "\(choices.summary)")
      }
    }

    @Test func refuses() throws {
      try withModel { folder, model in
        func expect(_ arguments: [String], input: [UInt8]? = nil, says: String) throws {
          let result = try Tool.run(arguments.map { $0.replacingOccurrences(of: "@", with: folder) }, input: input)
          #expect(result.status != 0 && result.status < 128, "\(arguments) \(result.summary)")
          let says = says.replacingOccurrences(of: "@", with: folder)
          #expect(result.errors.contains(says), "\(arguments) \(result.summary)")
        }
        let long = String(repeating: "zq", count: 100)
        try expect(["generate", model, "--prompt", long], says: "the context is 64")
        try expect(["generate", model, "--prompt", "-"], input: [0x61, 0xFF], says: "not UTF-8")
        try FileManager.default.createDirectory(atPath: folder + "/odd", withIntermediateDirectories: false)
        try write(Array("{}".utf8), to: folder + "/odd/config.json")
        try expect(["generate", "@/odd", "--prompt", "x"], says: "@/odd/config.json: has no \"model_type\"")
        try expect(["generate", "@/odd/config.json", "--prompt", "x"], says: "give the folder")
        try expect(["generate", "@/none", "--prompt", "x"], says: "@/none: there is no file or folder with this name")
        try write(Array("{\"question\": \"a\"}\n".utf8), to: folder + "/bad.jsonl")
        try expect(["evaluate", model, "--choices", "@/bad.jsonl"], says: "@/bad.jsonl, line 1")
        try write(
          Array(#"{"question": "\#(long)", "choices": ["a", "b"], "answer": 0}"#.utf8), to: folder + "/long.jsonl")
        try expect(["evaluate", model, "--choices", "@/long.jsonl"], says: "@/long.jsonl, line 1: the prompt has")
        try write([0x61, 0xFF, 0x62], to: folder + "/latin.txt")
        try expect(["evaluate", model, "--data", "@/latin.txt"], says: "@/latin.txt")
        try write(Array("[{}]".utf8), to: folder + "/messages.json")
        try expect(["tokenize", model, "--chat", "@/messages.json"], says: "@/messages.json")
        // Without its template, then without its tokenizer.
        try write(Array("{}".utf8), to: model + "/tokenizer_config.json")
        unlink(model + "/tokenizer.json")
        try expect(["generate", model, "--prompt", "x"], says: "tokenizer.json")
      }
    }
  }
}

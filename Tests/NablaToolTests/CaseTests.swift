import Foundation
import Nabla
import Testing

extension ToolTests {
  /// Small inputs that users of other tools stumbled over, each with the right outcome. The files in Fixtures/cases are
  /// those of `tokenizers` and `transformers`, and so are the tokens and losses expected of them.
  @Suite struct Cases {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Fixtures/cases").path

    private func json(_ arguments: [String]) throws -> JSONValue {
      let result = try Tool.run(arguments + ["--json"])
      try #require(result.status == 0, "\(result.summary)")
      return try JSONValue(parsing: result.output)
    }

    @Test(arguments: [
      ("added-existing-word.json", "the other the", [257, 220, 78, 257, 81, 220, 257]),
      ("added-existing-word.json", "bathe", [65, 64, 257]), ("added-existing-word.json", "xthey", [87, 257, 88]),
      ("added-tokens", "<|im_start|>the cat<|im_end|>", [282, 257, 275, 283]),
    ])
    func addedTokensAreFound(file: String, text: String, ids: [Int]) throws {
      let tokens = try json(["tokenize", "\(Self.folder)/\(file)", "--text", text])["tokens"]
      #expect(tokens == .array(ids.map { .integer($0) }))
    }

    /// A folder and the GGUF file of it end a turn alike: where the template does.
    @Test func aTurnEndsWhereTheTemplateEndsIt() throws {
      try withFolder { folder in
        #expect(try Tool.run(["convert", Self.folder + "/chatml", folder + "/m.gguf"]).status == 0)
        for model in [Self.folder + "/chatml", folder + "/m.gguf"] {
          let flags = ["--chat", "--prompt", "hi", "--temperature", "0", "--max-tokens", "6"]
          let answer = try json(["generate", model] + flags)
          #expect(answer["tokens"] == [284] && answer["reason"] == "end_of_text")
        }
      }
    }

    /// Losses of transformers.
    @Test(arguments: [("metadata-null", 6.22330379486084), ("attention-bias", 6.49495792388916)])
    func foldersOfTransformersAreRead(name: String, loss: Double) throws {
      let text = Self.folder + "/metadata-null/text.txt"
      try withFolder { folder in
        #expect(try Tool.run(["convert", "\(Self.folder)/\(name)", folder + "/m.gguf"]).status == 0)
        #expect(try Tool.run(["convert", folder + "/m.gguf", folder + "/back"]).status == 0)
        for model in ["\(Self.folder)/\(name)", folder + "/m.gguf", folder + "/back"] {
          let result = try json(["evaluate", model, "--data", text, "--precision", "float32"])
          #expect(abs(try #require(result["loss"]?.double) - loss) < 2e-6, "\(model)")
        }
      }
    }

    /// Text files made on Windows begin with a byte order mark, and their lines end with two characters.
    @Test func filesMadeOnWindowsAreRead() throws {
      try withFolder { folder in
        func windows(_ text: String) -> [UInt8] { [0xEF, 0xBB, 0xBF] + Array(text.replacing("\n", with: "\r\n").utf8) }
        try write(windows("files: [\(folder)/text.txt]\nsteps: 2\ntokenizer: byte\n"), to: folder + "/run.yaml")
        let flags = ["--layers", "1", "--width", "16", "--heads", "2", "--context", "16", "--output", folder + "/run"]
        let run = try Tool.run(["pretrain", "--config", folder + "/run.yaml"] + flags)
        #expect(run.status == 0, "\(run.summary)")
        try write(windows("[{\"role\": \"user\",\n\"content\": \"a\"}]"), to: folder + "/chat.json")
        let plain = try Tool.run(["tokenize", Self.folder + "/chatml", "--chat", folder + "/chat.json", "--count"])
        #expect(plain.status == 0, "\(plain.summary)")
        try write(
          windows("{\"question\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": 0}\n"), to: folder + "/q.jsonl")
        let choices = try Tool.run(["evaluate", Self.folder + "/chatml", "--choices", folder + "/q.jsonl"])
        #expect(choices.status == 0, "\(choices.summary)")
        let piped = ["generate", folder + "/run", "--max-tokens", "4", "--temperature", "0", "--prompt"]
        #expect(try Tool.run(piped + ["-"], input: windows("ab\n")).output == Tool.run(piped + ["ab"]).output)
      }
    }

    /// Only known commands are commands: any other line goes to the model.
    @Test func aLineThatBeginsWithASlashIsAMessage() throws {
      try withFolder { folder in
        try FileManager.default.copyItem(atPath: Self.folder + "/metadata-null", toPath: folder + "/model")
        try write(Array("{{ messages[-1]['content'] }}".utf8), to: folder + "/model/chat_template.jinja")
        func answer(_ lines: String) throws -> String {
          let flags = ["--max-tokens", "2", "--temperature", "0"]
          let result = try Tool.run(["chat", folder + "/model"] + flags, input: Array(lines.utf8))
          #expect(result.status == 0, "\(result.summary)")
          return result.output
        }
        let path = try answer("/etc/hosts: what is it?\n")
        #expect(!path.isEmpty)
        #expect(try answer("//etc/hosts: what is it?\r\n") == path)
        let (quoted, plain, spaced) = (try answer("//quit\n"), try answer("/quit\n"), try answer(" /quit\n"))
        #expect(!quoted.isEmpty && plain.isEmpty && !spaced.isEmpty)
      }
    }

    /// Every command that the tool prints works as it is printed.
    @Test func printedCommandsWork() throws {
      func follow(_ result: Tool.Result, _ mark: String) throws {
        let lines = result.errors.components(separatedBy: "\n")
        let line = try #require(lines.last { $0.contains(mark) }, "\(result.summary)")
        let command = line.components(separatedBy: "next:").last!
        let followed = try Tool.shell("cd /tmp && \(command)", [])
        #expect(followed.status == 0, "\(command)\n\(followed.summary)")
      }
      try withFolder { folder in
        for tokenizer in ["char", "byte", "bpe"] {
          let flags = ["--tokenizer", tokenizer] + (tokenizer == "bpe" ? ["--vocabulary", "300"] : [])
          try write(Array(String(repeating: "abc def ", count: 100).utf8), to: folder + "/small.txt")
          let run = folder + "/run-" + tokenizer
          try follow(try Tool.train(folder + "/small.txt", output: run, flags + ["--steps", "2"]), "next:")
        }
        let stopped = try Tool.train(
          folder + "/text.txt", output: folder + "/stopped", ["--steps", "4", "--stop-after", "2"])
        try follow(stopped, "--resume")
        let rl = ["rl", "train", "--environment", "CartPole-v1", "--total-steps", "4096", "--output", folder + "/rl"]
        try follow(try Tool.run(rl), "next:")
        let diffusion = ["diffusion", "train", "moons", "--steps", "2", "--output", folder + "/diffusion"]
        let points = try Tool.run(diffusion)
        let command = try #require(points.errors.components(separatedBy: "next:").last, "\(points.summary)")
        #expect(try Tool.shell("cd \(folder) && \(command)", []).status == 0)
      }
    }

    /// The text has not moved: a run that was started with a relative path goes on from any folder.
    @Test func resumesFromElsewhere() throws {
      try withFolder { folder in
        let flags = (Tool.tiny + ["--steps", "4", "--stop-after", "2"]).joined(separator: " ")
        let start = try Tool.shell("cd \"$1\" && $nabla pretrain text.txt \(flags) --output run", [folder])
        #expect(start.status == 0, "\(start.summary)")
        // Runs of earlier versions kept the path as it was given.
        let config = folder + "/run/config.json"
        let old = try readText(config).replacing("\(folder)/text.txt", with: "text.txt")
        #expect(old != (try readText(config)))
        for isOld in [false, true] {
          let copy = folder + (isOld ? "/old" : "/new")
          try FileManager.default.copyItem(atPath: folder + "/run", toPath: copy)
          if isOld { try write(Array(old.utf8), to: copy + "/config.json") }
          let resumed = try Tool.shell("cd / && $nabla pretrain --resume \"$1\"", [copy])
          #expect(resumed.status == 0, "\(resumed.summary)")
        }
      }
    }

    /// Messages that blamed the wrong thing.
    @Test func messagesBlameWhatIsWrong() throws {
      try withFolder { folder in
        func refused(_ arguments: [String], _ says: [String], not others: [String] = []) throws {
          let result = try Tool.run(arguments)
          #expect(result.status != 0 && says.allSatisfy { result.errors.contains($0) }, "\(result.summary)")
          #expect(!others.contains { result.errors.contains($0) }, "\(result.summary)")
        }
        let rl = ["rl", "train", "--environment", "CartPole-v1", "--total-steps", "100"]
        try refused(rl + ["--activation", "gelu"], ["--activation", "tanh", "relu"], not: ["--total-steps"])
        try refused(rl + ["--clip-range", "inf"], ["--clip-range"], not: ["--total-steps"])

        let model = folder + "/bin"
        try FileManager.default.copyItem(atPath: Self.folder + "/metadata-null", toPath: model)
        try FileManager.default.moveItem(
          atPath: model + "/model.safetensors", toPath: model + "/pytorch_model.bin")
        try refused(
          ["evaluate", model, "--data", folder + "/text.txt"], ["pytorch_model.bin", "save_pretrained", "safetensors"])

        try FileManager.default.createDirectory(atPath: folder + "/one", withIntermediateDirectories: true)
        #expect(try Tool.run(["convert", Self.folder + "/chatml", folder + "/one/m.gguf"]).status == 0)
        let alone = try Tool.run(["generate", folder + "/one", "--prompt", "the", "--max-tokens", "1"])
        #expect(alone.status == 0, "\(alone.summary)")
        try FileManager.default.copyItem(atPath: folder + "/one/m.gguf", toPath: folder + "/one/n.gguf")
        try refused(["generate", folder + "/one"], ["several GGUF files", folder + "/one/m.gguf"])

        let policy = folder + "/policy"
        let trained = try Tool.run(rl.dropLast() + ["2048", "--output", policy])
        #expect(trained.status == 0, "\(trained.summary)")
        try refused(["generate", policy, "--prompt", "x"], [policy, "a run of 'nabla rl train'"])

        let tekken = folder + "/tekken"
        try FileManager.default.copyItem(atPath: Self.folder + "/metadata-null", toPath: tekken)
        let tokenizer = try readText(Self.folder + "/../text/models/tekken.json")
        try write(
          Array(tokenizer.replacing("\"ignore_merges\": true", with: "\"ignore_merges\": false").utf8),
          to: tekken + "/tokenizer.json")
        var config = try #require(JSONValue(contentsOfFile: tekken + "/config.json").object)
        config["vocab_size"] = 420
        var tensors = try SafetensorsFile(path: tekken + "/model.safetensors").tensors().mapValues { $0.copy() }
        for (name, tensor) in tensors where tensor.shape.first == 282 {
          tensors[name] = .zeros([420, tensor.shape[1]])
        }
        try SafetensorsFile.write(tensors, to: tekken + "/model.safetensors")
        try write(Array(JSONValue.object(config).serialized().utf8), to: tekken + "/config.json")
        try refused(["convert", tekken, folder + "/t.gguf"], ["ignore_merges is false"], not: ["ggml.pre"])
      }
    }
  }
}

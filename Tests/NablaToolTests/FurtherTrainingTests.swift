import Foundation
import Nabla
import Testing

extension ToolTests {
  /// Runs that train further, start from a model, overfit, or are stopped before they begin.
  @Suite struct FurtherTraining {
    /// 600 letters without any order: there is nothing to learn from them but themselves.
    private static let noise: [UInt8] = {
      var random = RandomSource(seed: 5)
      return (0..<600).map { _ in UInt8(ascii: "a") + UInt8.random(in: 0..<26, using: &random) }
    }()

    @Test func aRunThatOverfitsKeepsItsBestModel() throws {
      try withFolder { folder in
        try write(Self.noise, to: folder + "/noise.txt")
        let flags = ["--steps", "150", "--width", "64", "--heads", "2", "--evaluate-every", "10", "--batch-size", "16"]
        let run = try Tool.train(folder + "/noise.txt", output: folder + "/run", flags)
        #expect(run.errors.contains("overfitting: the validation loss was lowest at step"), "\(run.summary)")
        let records = try MetricsRecord.readAll(folder: folder + "/run")
        let losses = records.compactMap { record in record["validation_loss"].map { (record.step, $0) } }
        let best = try #require(losses.dropFirst().min { $0.1 < $1.1 })
        #expect(best.0 < 150)
        let flagsOfUse = ["--prompt", "abc", "--max-tokens", "4"]
        let generated = try Tool.run(["generate", folder + "/run"] + flagsOfUse)
        #expect(
          generated.status == 0 && generated.errors.contains("the model of step \(best.0) is used"),
          "\(generated.summary)")
        let converted = try Tool.run(["convert", folder + "/run", folder + "/model"])
        #expect(
          converted.status == 0 && converted.errors.contains("the model of step \(best.0)"), "\(converted.summary)")
        // The last tenth of the text is what validation read.
        try write(Array(Self.noise.suffix(60)), to: folder + "/held.txt")
        let evaluated = try Tool.run(
          ["evaluate", folder + "/run", "--data", folder + "/held.txt", "--precision", "float32", "--json"])
        let loss = try #require(JSONValue(parsing: evaluated.output)["loss"]?.double, "\(evaluated.summary)")
        #expect(abs(loss - best.1) < 0.02, "\(loss), \(best.1)")
      }
    }

    @Test func aFinishedRunTrainsFurther() throws {
      try withFolder { folder in
        let run = folder + "/run"
        try Tool.train(folder + "/text.txt", output: run, ["--steps", "8"])
        let none = try Tool.run(["pretrain", "--resume", run])
        #expect(
          none.status == 0 && none.errors.contains("all 8 steps are done: --steps trains further"), "\(none.summary)")
        let few = try Tool.run(["pretrain", "--resume", run, "--steps", "6"])
        #expect(few.status == 1 && few.errors.contains("--steps must be at least the 8"), "\(few.summary)")
        let other = try Tool.run(["pretrain", "--resume", run, "--steps", "12", "--batch-size", "3"])
        #expect(other.status == 64 && other.errors.contains("--batch-size"), "\(other.summary)")
        let more = try Tool.run(["pretrain", "--resume", run, "--steps", "12"])
        #expect(more.status == 0 && more.errors.contains("after step 8, where the schedule ended"), "\(more.summary)")
        let records = try MetricsRecord.readAll(folder: run)
        #expect(records.last?.step == 12)
        let rates = records.filter { $0.step > 8 }.compactMap { $0["learning_rate"] }
        #expect(rates.count == 4 && rates.allSatisfy { abs($0 - 1e-3) < 1e-9 }, "\(rates)")
        // Its settings are now those of twelve steps.
        let again = try Tool.run(["pretrain", "--resume", run])
        #expect(again.status == 0 && again.errors.contains("after step 12 of 12"), "\(again.summary)")
      }
    }

    @Test func trainingStartsFromAModel() throws {
      try withFolder { folder in
        let flags = ["--tokenizer", "bpe", "--vocabulary", "300", "--steps", "40"]
        try Tool.train(folder + "/text.txt", output: folder + "/first", flags)
        let quantized = ["convert", folder + "/first", folder + "/first.gguf", "--type", "q8_0"]
        #expect(try Tool.run(quantized).status == 0)
        func loss(_ model: String) throws -> Double {
          let result = try Tool.run(
            ["evaluate", model, "--data", folder + "/text.txt", "--precision", "float32", "--json"])
          return try #require(JSONValue(parsing: result.output)["loss"]?.double, "\(result.summary)")
        }
        let before = try loss(folder + "/first")
        for model in ["first", "first.gguf"] {
          let further = [
            "--init", "\(folder)/\(model)", "--steps", "30", "--batch-size", "4", "--precision", "float32",
          ]
          let output = "\(folder)/from-\(model)"
          let run = try Tool.run(
            ["pretrain", folder + "/text.txt"] + further + ["--learning-rate", "3e-3", "--stop-after", "20"]
              + ["--output", output])
          #expect(run.status == 0, "\(run.summary)")
          #expect(try Tool.run(["pretrain", "--resume", output]).status == 0)
          #expect(try loss(output) < before - 0.05)
          // It begins where the model was: what is untrained has a loss of ln 300.
          let first = try MetricsRecord.readAll(folder: output).compactMap { $0["loss"] }.first
          #expect(try #require(first) < before + 0.8)
        }
        let shaped = try Tool.run(["pretrain", folder + "/text.txt", "--init", folder + "/first", "--layers", "2"])
        #expect(shaped.status == 64 && shaped.errors.contains("--layers"), "\(shaped.summary)")
      }
    }

    /// A model of transformers keeps its tokens' roles and its chat template.
    @Test func whatStandsBesideTheWeightsIsKept() throws {
      try withFolder { folder in
        let flags = ["--init", Cases.folder + "/chatml", "--steps", "2", "--batch-size", "2", "--context", "16"]
        let run = try Tool.run(["pretrain", folder + "/text.txt", "--output", folder + "/run"] + flags)
        #expect(run.status == 0, "\(run.summary)")
        let answer = try Tool.run(["generate", folder + "/run", "--chat", "--prompt", "hi", "--temperature", "0"])
        #expect(answer.status == 0, "\(answer.summary)")
        let config = try JSONValue(contentsOfFile: folder + "/run/model/config.json")
        #expect(config["max_position_embeddings"] == 128 && config["eos_token_id"] == 282)
      }
    }

    /// Ctrl-C before the first step has ended says that nothing was trained, and leaves no run behind.
    @Test func stoppedBeforeTheFirstStep() throws {
      try withFolder { folder in
        let big = ["--width", "512", "--heads", "8", "--layers", "8", "--context", "256", "--sample-length", "250"]
        let child = try Tool.start(
          ["pretrain", folder + "/text.txt", "--tokenizer", "byte", "--output", folder + "/run"] + big)
        try child.wait { $0.errors.contains("run: ") }
        child.signal(SIGINT)
        let result = try child.finish()
        #expect(result.status == 0 && result.errors.contains("nothing was trained"), "\(result.summary)")
        #expect(!FileManager.default.fileExists(atPath: folder + "/run"))
      }
    }

    /// Combinations that no other library has are told before training.
    @Test func ownFormatsAreTold() throws {
      try withFolder { folder in
        let run = try Tool.train(folder + "/text.txt", output: folder + "/run", ["--steps", "1", "--norm", "layer"])
        #expect(run.errors.contains("rotary positions with LayerNorm"), "\(run.summary)")
        #expect(run.errors.contains("transformers and llama.cpp cannot load"), "\(run.summary)")
        let plain = try Tool.train(folder + "/text.txt", output: folder + "/plain", ["--steps", "1"])
        #expect(!plain.errors.contains("cannot load"), "\(plain.summary)")
      }
    }

    /// A run has no chat template: it continues what is typed.
    @Test func aRunContinuesWhatIsTyped() throws {
      try withFolder { folder in
        try Tool.train(folder + "/text.txt", output: folder + "/run", ["--steps", "40"])
        let flags = ["--temperature", "0", "--max-tokens", "4", "--precision", "float32"]
        let chat = try Tool.run(["chat", folder + "/run"] + flags, input: Array("Line 1\nfox\n".utf8))
        #expect(chat.status == 0 && chat.errors.contains("no chat template: it continues"), "\(chat.summary)")
        let one = try Tool.run(["generate", folder + "/run", "--prompt", "Line 1\n"] + flags).output
        #expect(chat.output.hasPrefix(one.dropFirst("Line 1\n".count)), "\(chat.summary)\(one)")
        #expect(chat.errors.contains("no longer fit"), "a context of 16 holds no two of these: \(chat.summary)")
      }
    }
  }
}

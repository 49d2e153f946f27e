import Foundation
import Nabla
import Testing

extension ToolTests {
  /// What the tool does when all is well.
  @Suite struct Usage {
    @Test(arguments: ["pretrain", "generate", "evaluate", "report"]) func helpTellsOfEveryFlag(_ command: String) throws
    {
      let result = try Tool.run([command, "--help"])
      #expect(result.status == 0 && result.errors.isEmpty)
      #expect(result.output.contains("USAGE: nabla \(command)"))
    }

    @Test func jsonLines() throws {
      try withFolder { folder in
        let result = try Tool.train(
          folder + "/text.txt", output: folder + "/run",
          ["--steps", "5", "--evaluate-every", "2", "--sample-length", "8", "--json"])
        #expect(result.errors.isEmpty, "\(result.summary)")
        var steps: [Int] = []
        for line in result.output.split(separator: "\n") {
          let object = try #require(try JSONValue(parsing: Array(line.utf8)).object, "\(line)")
          if object["total"] != nil, let step = object["step"]?.integer { steps.append(step) }
        }
        #expect(steps == [1, 2, 3, 4, 5])

        let generated = try Tool.run(["generate", folder + "/run", "--json", "--count", "3", "--max-tokens", "4"])
        let lines = generated.output.split(separator: "\n")
        #expect(lines.count == 3, "\(generated.summary)")
        for line in lines {
          let object = try JSONValue(parsing: Array(line.utf8))
          #expect(object["text"]?.string != nil && object["tokens"]?.array?.count == 4, "\(line)")
        }

        let evaluated = try Tool.run(["evaluate", folder + "/run", "--data", folder + "/text.txt", "--json"])
        let object = try JSONValue(parsing: Array(evaluated.output.utf8))
        let (loss, bits) = (try #require(object["loss"]?.double), try #require(object["bits_per_byte"]?.double))
        // A byte is a token here.
        #expect(abs(loss / log(2) - bits) < 1e-9)
        #expect(object["tokens"]?.integer == sentences.utf8.count - 1)
      }
    }

    @Test func flagsOverrideTheConfiguration() throws {
      try withFolder { folder in
        let yaml = """
          files: ["\(folder)/text.txt"]
          layers: 1
          width: 32
          heads: 2
          context: 16
          tokenizer: byte
          tie-embeddings: false
          activation_checkpointing: false
          steps: 3
          sample-length: 0
          output: \(folder)/run
          """
        try write(Array(yaml.utf8), to: folder + "/run.yaml")
        let result = try Tool.run(["pretrain", "--config", folder + "/run.yaml", "--width", "16", "--steps=2"])
        #expect(result.status == 0, "\(result.summary)")
        let setup = try RunFolder.open(folder + "/run").configuration(as: Pretraining.Setup.self)
        #expect(setup.model.width == 16 && setup.model.layerCount == 1 && !setup.model.tieEmbeddings)
        #expect(setup.training.steps == 2)
      }
    }

    @Test func foldersSkipWhatIsNoText() throws {
      try withFolder { folder in
        try FileManager.default.createDirectory(atPath: folder + "/data", withIntermediateDirectories: false)
        try write(Array(sentences.utf8), to: folder + "/data/a.txt")
        try write([0x89, 0x50, 0, 0xFF], to: folder + "/data/image.png")
        let result = try Tool.train(folder + "/data", output: folder + "/run", ["--steps", "1"])
        #expect(result.errors.contains("skipped \(folder)/data/image.png (binary"), "\(result.summary)")
      }
    }

    @Test func existingEmptyFolderIsUsed() throws {
      try withFolder { folder in
        try FileManager.default.createDirectory(atPath: folder + "/run", withIntermediateDirectories: false)
        try Tool.train(folder + "/text.txt", output: folder + "/run", ["--steps", "1"])
      }
    }

    @Test func generationEndsQuietlyWithItsReader() throws {
      try withFolder { folder in
        try Tool.train(folder + "/text.txt", output: folder + "/run", ["--steps", "1"])
        let result = try Tool.shell(
          #""$nabla" generate "$1" --count 500 --max-tokens 15 | head -n 1"#, [folder + "/run"])
        #expect(result.status == 0 && result.output == "--- 1 ---\n" && result.errors.isEmpty, "\(result.summary)")
        let full = try Tool.shell(#""$nabla" generate "$1" > /dev/full"#, [folder + "/run"])
        #expect(full.status == 1 && full.errors.contains("standard output"), "\(full.summary)")
      }
    }

    @Test func promptFromStandardInput() throws {
      try withFolder { folder in
        try Tool.train(folder + "/text.txt", output: folder + "/run", ["--steps", "1"])
        let generate = ["generate", folder + "/run", "--max-tokens", "5", "--temperature", "0", "--prompt"]
        let piped = try Tool.run(generate + ["-"], input: Array("quick ".utf8))
        #expect(piped.status == 0 && piped.output.hasPrefix("quick "), "\(piped.summary)")
        #expect(try Tool.run(generate + ["quick "]).output == piped.output)
      }
    }

    /// The same training, otherwise computed: nearly the same loss, far below that of a model that has not learned.
    @Test func everyWayOfComputingLearnsAlike() throws {
      try withFolder { folder in
        func loss(_ name: String, _ flags: [String], _ environment: [String: String] = [:]) throws -> Double {
          let arguments = ["pretrain", folder + "/text.txt"] + Tool.tiny + ["--steps", "60", "--output"]
          let result = try Tool.run(arguments + ["\(folder)/\(name)"] + flags, environment: environment)
          try #require(result.status == 0, "\(result.summary)")
          return try #require(MetricsRecord.readAll(folder: "\(folder)/\(name)").last { $0["validation_loss"] != nil })[
            "validation_loss"]!
        }
        let plain = try loss("plain", [])
        #expect(plain < 3.6, "an untrained model is at ln 256 = 5.5")
        // Below AVX-512 oneDNN has no bfloat16 products: they run in float32.
        for set in InstructionSet.allCases where set <= .inUse {
          let environment = ["NABLA_ISA": set.rawValue]
          #expect(abs(try loss(set.rawValue, [], environment) - plain) < 0.02)
          let narrow = try loss("bfloat16-\(set.rawValue)", ["--precision", "bfloat16"], environment)
          #expect(abs(narrow - plain) < 0.1)
        }
        #expect(abs(try loss("one", ["--threads", "1"]) - plain) < 0.02)
        #expect(abs(try loss("two", ["--threads", "2"]) - plain) < 0.02)
        #expect(abs(try loss("checkpointing", ["--activation-checkpointing"]) - plain) < 0.02)
      }
    }
  }
}

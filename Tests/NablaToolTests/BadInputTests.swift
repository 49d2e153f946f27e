import Foundation
import Nabla
import Testing

/// Something a user may get wrong, and what the tool must say.
struct BadInput: CustomTestStringConvertible, Sendable {
  var arguments: [String]
  var status: Int32
  /// What standard error must contain.
  var says: [String]
  var input: [UInt8]? = nil
  var testDescription: String { arguments.joined(separator: " ") }

  /// Wrong usage: exit 64.
  static func usage(_ line: String, _ says: String...) -> BadInput {
    BadInput(arguments: line.split(separator: " ").map(String.init), status: 64, says: says)
  }
  /// Right usage that fails: exit 1.
  static func failure(_ line: String, _ says: String...) -> BadInput {
    BadInput(arguments: line.split(separator: " ").map(String.init), status: 1, says: says)
  }
}

extension ToolTests {
  /// "@" in arguments and messages stands for a folder with the files that `prepare` makes.
  @Suite struct BadInputs {
    static let pretrain: [BadInput] = [
      .usage("pretrain", "give files or folders"),
      .usage("pretrain @/text.txt --preset tinny --output @/run", "'tinny'", "did you mean 'tiny'"),
      .usage("pretrain @/text.txt --laers 2 --output @/run", "--laers", "--layers"),
      .usage("pretrain @/text.txt --tokenizer word --output @/run", "--tokenizer", "byte", "char", "bpe"),
      .usage("pretrain @/text.txt --width 100 --heads 3 --output @/run", "3 heads", "width 100", "--heads"),
      .usage("pretrain @/text.txt --heads 4 --kv-heads 3 --output @/run", "3 key/value heads", "4 heads"),
      .usage("pretrain @/text.txt --heads 0 --output @/run", "--heads must be between 1 and 16777216, not 0"),
      .usage(
        "pretrain @/text.txt --width 1000000000000 --output @/run", "--width must be between 1 and 16777216",
        "not 1000000000000"),
      .usage("pretrain @/text.txt --width 1048576 --layers 1000 --heads 8192 --output @/run", "memory", "--width"),
      .usage("pretrain @/text.txt --steps 0 --output @/run", "--steps", "not 0"),
      .usage("pretrain @/text.txt --steps -5 --output @/run", "--steps", "not -5"),
      .usage("pretrain @/text.txt --steps many --output @/run", "--steps", "many"),
      .usage("pretrain @/text.txt --steps 5 --epochs 1 --output @/run", "--steps or --epochs"),
      .usage("pretrain @/text.txt --learning-rate nan --output @/run", "--learning-rate", "nan"),
      .usage("pretrain @/text.txt --learning-rate -1e-3 --output @/run", "--learning-rate", "not -0.001"),
      .usage("pretrain @/text.txt --batch-size 0 --output @/run", "--batch-size", "not 0"),
      .usage("pretrain @/text.txt --dropout 1 --output @/run", "dropout", "not 1"),
      .usage("pretrain @/text.txt --vocabulary 10 --output @/run", "--vocabulary", "257"),
      .usage("pretrain @/text.txt --vocabulary 300 --tokenizer byte --output @/run", "--vocabulary", "bpe"),
      .usage("pretrain @/text.txt --validation-fraction 1 --output @/run", "--validation-fraction"),
      .usage("pretrain @/text.txt --threads 0 --output @/run", "--threads", "not 0"),
      .usage("pretrain --resume @/trained --layers 2", "--resume", "--layers"),
      .usage("pretrain --resume @/trained --preset small", "--resume", "--preset"),
      .usage("pretrain --resume @/trained --output @/run", "--resume", "--output"),
      .failure("pretrain --resume @/text.txt", "@/text.txt"),
      .failure("pretrain --resume @/absent", "@/absent", "no folder"),
      .failure("pretrain --resume @/empty", "@/empty", "not a training run"),
      .failure("pretrain --resume @/trained/model", "@/trained/model", "model folder"),
      .failure("pretrain @/absent.txt --output @/run", "@/absent.txt", "no such file"),
      .failure("pretrain @/empty.txt --output @/run", "@/empty.txt", "empty"),
      .failure("pretrain @/empty --output @/run", "no text", "@/empty"),
      .failure("pretrain @/binary --output @/run", "no text", "1 skipped"),
      .failure("pretrain @/latin1.txt --output @/run", "@/latin1.txt", "byte 4", "iconv"),
      .failure("pretrain @/short.txt --tokenizer byte --output @/run", "context", "more than 128", "--context"),
      .failure("pretrain @/short.txt --tokenizer byte --epochs 1 --output @/run", "context", "more than 128"),
      .failure("pretrain @/text.txt --output @/trained", "@/trained", "already"),
      .failure("pretrain @/text.txt --output @/binary", "@/binary", "not empty", "image.bin"),
      .failure("pretrain @/text.txt --output @/text.txt/run", "@/text.txt"),
    ]

    static let others: [BadInput] = [
      .usage("train", "train"),
      .usage("generate", "<model>"),
      .usage("generate @/trained --temperature -1", "--temperature", "not -1"),
      .usage("generate @/trained --top-p 2", "--top-p", "not 2"),
      .usage("generate @/trained --count 0", "--count", "not 0"),
      .usage("generate @/trained --max-tokens 0", "--max-tokens", "not 0"),
      .failure("generate @/absent", "@/absent"),
      .failure("generate @/empty", "@/empty", "neither", "config.json"),
      .failure("generate @/foreign", "@/foreign", "bert"),
      .failure("generate @/untrained", "@/untrained", "checkpoint"),
      .failure("generate @/chars --prompt naïve", "ï", "U+00EF", "vocabulary"),
      .failure("generate @/trained --prompt 0123456789abcdefg", "17 tokens", "16", "shorten"),
      BadInput(
        arguments: ["generate", "@/trained", "--prompt", "-"], status: 64, says: ["standard input", "UTF-8"],
        input: [0x61, 0xFF, 0x62]),
      .usage("evaluate @/trained", "--data"),
      .usage("evaluate @/trained --data @/text.txt --context 17", "--context 17", "16", "nabla evaluate --help"),
      .failure("evaluate @/trained --choices @/text.txt", "@/text.txt, line 1", "byte 0", "\"Line 0: the"),
      .failure("generate @/trained --chat --prompt hi", "@/trained/model has none"),
      .usage("chat @/trained --prompt hi --system x", "--system", "@/trained/model"),
      .usage("inspect @/trained @/trained --tensors", "--tensors is for a model"),
      .usage("audit @/text.txt --model @/trained --truncation keep-end", "--truncation requires --max-length"),
      .failure("evaluate @/trained --data @/absent.txt", "@/absent.txt"),
      .failure("evaluate @/trained --data @/empty.txt", "@/empty.txt", "empty"),
      .failure("evaluate @/trained --data @/latin1.txt", "@/latin1.txt", "byte 4"),
      .usage("tokenize @/trained --text a --file @/text.txt", "--text", "--file"),
      .usage("tokenize @/trained --text a --no-generation-prompt", "--chat"),
      .usage("tokenize @/trained --text a --count --json", "--count", "--json"),
      .failure("tokenize @/absent --text a", "@/absent"),
      .failure("tokenize @/empty --text a", "@/empty", "tokenizer.json"),
      .failure("tokenize @/trained --file @/latin1.txt", "@/latin1.txt", "byte 4"),
      .failure("tokenize @/trained --chat @/text.txt", "@/text.txt", "JSON", "byte 0"),
      .failure("tokenize @/trained --chat @/foreign/config.json", "@/foreign/config.json", "messages"),
      .failure("tokenize @/chars --text naïve", "ï", "U+00EF"),
      BadInput(
        arguments: ["tokenize", "@/trained"], status: 1, says: ["standard input", "byte 1"], input: [0x61, 0xFF, 0x62]),
      .failure("report @/empty", "@/empty", "not a training run"),
      .failure("report @/trained/model", "model folder"),
    ]

    private func prepare(_ folder: String) throws {
      for name in ["empty", "binary", "foreign", "untrained/checkpoints"] {
        try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
      }
      try write([], to: folder + "/empty.txt")
      try write(Array("short\n".utf8), to: folder + "/short.txt")
      try write(Array("caf ".utf8) + [0xE9] + Array(sentences.utf8), to: folder + "/latin1.txt")
      try write([0x7F, 0x45, 0, 1, 2, 0xFF], to: folder + "/binary/image.bin")
      try write(Array(#"{"model_type": "bert"}"#.utf8), to: folder + "/foreign/config.json")
      try FileManager.default.copyItem(atPath: Self.trained.get(), toPath: folder + "/trained")
      try FileManager.default.copyItem(atPath: Self.characters.get(), toPath: folder + "/chars")
      try FileManager.default.copyItem(
        atPath: folder + "/trained/config.json", toPath: folder + "/untrained/config.json")
    }

    /// Finished runs that all tests copy.
    static let trained = Result { try finishedRun([]) }
    static let characters = Result { try finishedRun(["--tokenizer", "char"]) }
    private static func finishedRun(_ flags: [String]) throws -> String {
      let folder = NSTemporaryDirectory() + "nabla-tool-run-" + UUID().uuidString
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try write(Array(sentences.utf8), to: folder + "/text.txt")
      try Tool.train(folder + "/text.txt", output: folder + "/run", ["--steps", "2"] + flags)
      return folder + "/run"
    }

    @Test(arguments: pretrain + others) func refused(_ bad: BadInput) throws {
      try withFolder { folder in
        try prepare(folder)
        let before = try FileManager.default.subpathsOfDirectory(atPath: folder).sorted()
        let result = try Tool.run(
          bad.arguments.map { $0.replacing("@", with: folder) }, input: bad.input)
        #expect(result.status == bad.status, "\(result.summary)")
        for text in bad.says {
          #expect(result.errors.contains(text.replacing("@", with: folder)), "\(result.summary)")
        }
        #expect(result.output.isEmpty, "\(result.summary)")
        #expect(
          try FileManager.default.subpathsOfDirectory(atPath: folder).sorted() == before,
          "nothing may be left behind where nothing was trained")
      }
    }

    /// Foundation's `Process` cannot pass such arguments; a shell can.
    @Test func argumentsThatAreNotUTF8() throws {
      let result = try Tool.shell(#""$nabla" tokenize model --text "$(printf 'caf\351')""#, [])
      #expect(result.status == 64 && result.output.isEmpty, "\(result.summary)")
      for text in ["argument 4", "UTF-8", "caf"] { #expect(result.errors.contains(text), "\(result.summary)") }
    }

    /// The error names the model whose logits are non-finite.
    @Test func scoresThatAreNoNumbers() throws {
      try withFolder { folder in
        let model = folder + "/model"
        try FileManager.default.copyItem(atPath: Self.trained.get() + "/model", toPath: model)
        var weights = try readBytes(model + "/model.safetensors")
        weights.replaceSubrange((weights.count - 64)..., with: [UInt8](repeating: 0xFF, count: 64))
        try write(weights, to: model + "/model.safetensors")
        let result = try Tool.run(["generate", model, "--prompt", "a"])
        #expect(result.status == 1 && result.errors.contains("\(model): the model's logits"), "\(result.summary)")
      }
    }

    @Test(arguments: [
      ("laers: 2", ["line 1", "--laers", "--layers"]), ("width: 16\nsteps: soon", ["line 2", "--steps", "soon"]),
      ("steps: [1, 2]", ["line 1", "--steps", "an integer"]), ("- steps", ["'flag: value'"]),
      ("steps: {", ["not YAML"]), ("threads: 0", ["line 1", "--threads", "not 0"]),
    ])
    func configurationNamesFileAndLine(_ yaml: String, _ says: [String]) throws {
      try withFolder { folder in
        try write(Array(yaml.utf8), to: folder + "/run.yaml")
        let result = try Tool.run(
          ["pretrain", folder + "/text.txt", "--config", folder + "/run.yaml", "--output", folder + "/run"])
        #expect(result.status == 64, "\(result.summary)")
        for text in says + [folder + "/run.yaml"] { #expect(result.errors.contains(text), "\(result.summary)") }
        #expect(!FileManager.default.fileExists(atPath: folder + "/run"))
      }
    }

    @Test(arguments: [
      ("epocs: 2", ["line 1", "--epocs", "--epochs"]), ("seed: 1\nepochs: many", ["line 2", "--epochs", "many"]),
      ("epochs: [1, 2]", ["line 1", "--epochs", "an integer"]), ("seeds: 0", ["line 1", "--seeds", "not 0"]),
      ("algorithm: {a: b}", ["line 1", "'algorithm'"]), ("files: [text.txt]", ["line 1", "--files"]),
      ("- epochs", ["'flag: value'"]),
    ])
    func policyConfigurationNamesFileAndLine(_ yaml: String, _ says: [String]) throws {
      try withFolder { folder in
        try write(Array(yaml.utf8), to: folder + "/rl.yaml")
        let result = try Tool.run(
          ["rl", "train", "--environment", "CartPole-v1", "--config", folder + "/rl.yaml", "--output", folder + "/run"])
        #expect(result.status == 64, "\(result.summary)")
        for text in says + [folder + "/rl.yaml"] { #expect(result.errors.contains(text), "\(result.summary)") }
        #expect(!FileManager.default.fileExists(atPath: folder + "/run"))
      }
    }

    @Test func absentConfiguration() throws {
      let result = try Tool.run(["pretrain", "--config", "/no/such.yaml"])
      #expect(result.status == 64, "\(result.summary)")
      #expect(result.errors.contains("/no/such.yaml"), "\(result.summary)")
    }

    /// As another user where the tests run as root, whom no permission stops.
    private static let unprivileged: [String]? = {
      guard geteuid() == 0 else { return [] }
      let command = ["/usr/bin/setpriv", "--reuid", "65534", "--clear-groups", "--"]
      guard FileManager.default.isExecutableFile(atPath: command[0]) else { return nil }
      return (try? Tool.run(["--version"], through: command))?.status == 0 ? command : nil
    }()

    @Test(.enabled(if: unprivileged != nil, "no way to give up root's rights here"))
    func withoutPermission() throws {
      let command = try #require(Self.unprivileged)
      try withFolder { folder in
        let closed = folder + "/closed"
        try FileManager.default.createDirectory(
          atPath: closed, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o000])
        defer { chmod(closed, 0o755) }
        chmod(folder, 0o555)
        defer { chmod(folder, 0o755) }
        let reading = try Tool.run(["pretrain", closed], through: command)
        #expect(reading.status == 1 && reading.errors.contains(closed), "\(reading.summary)")
        #expect(reading.errors.contains("Permission denied"), "\(reading.summary)")
        let writing = try Tool.run(
          ["pretrain", folder + "/text.txt", "--output", folder + "/run"] + Tool.tiny, through: command)
        #expect(writing.status == 1 && writing.errors.contains(folder + "/run"), "\(writing.summary)")
        #expect(writing.errors.contains("Permission denied"), "\(writing.summary)")
      }
    }
  }
}

import Foundation
import Nabla
import Testing

/// Every parser of files from outside on damaged inputs: it may throw, and must never trap.
///
/// CI runs 2,000 inputs each. For more: `NABLA_FUZZ_INPUTS=200000 TMPDIR=/dev/shm swift test -c release --filter Fuzz`;
/// `NABLA_FUZZ_FIRST` starts at another number. To add a parser, add a line to `targets`.
@Suite(.serialized) struct FuzzTests {
  struct Target: Sendable, CustomTestStringConvertible {
    let name: String
    /// Names of files under Tests/Fixtures, or texts.
    let seeds: [Seed]
    var words: [String] = []
    let parse: @Sendable ([UInt8]) throws -> Void
    var testDescription: String { name }
  }

  enum Seed: Sendable {
    case file(String)
    case text(String)

    func bytes() throws -> [UInt8] {
      switch self {
      case .file(let name):
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return try Array(Data(contentsOf: tests.appendingPathComponent("Fixtures/\(name)")))
      case .text(let text): return Array(text.utf8)
      }
    }
  }

  static let targets = [
    Target(
      name: "GGUF", seeds: [.file("formats/all-types.gguf")], words: ["general.alignment", "GGUF"], parse: parseGGUF),
    Target(
      name: "GGUF model", seeds: [.file("hf_models/gguf/llama.gguf"), .file("hf_models/gguf/gpt2.gguf")],
      words: ["rope_freqs.weight", "blk.0.attn_q.bias", "output.weight"], parse: loadGGUF),
    Target(
      name: "safetensors", seeds: [.file("formats/mixed.safetensors")],
      words: [#""a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"#, "[", "]", "{", "}", "\"", ",", "F4", "I64"],
      parse: { bytes in
        let header = try bytes.withUnsafeBytes { try SafetensorsHeader($0, file: "fuzz") }
        for tensor in header.tensors {
          precondition(tensor.byteRange.lowerBound >= 8 && tensor.byteRange.upperBound <= bytes.count)
        }
      }),
    Target(
      name: "JSON",
      seeds: [
        .file("formats/model.safetensors.index.json"), .file("text/transformers/tokenizer_config.json"),
        .text(#"{"a":[1,-2.5e3,true,null,"x\u00e9\ud83d\ude00\n",{}],"b":{"c":[[],[[]]]}}"#),
      ],
      words: ["[", "]", "{", "}", "\"", ":", ",", "\\", "\\ud83d", "1e999", "-0", "null", "\u{FEFF}", "∇"],
      parse: { bytes in
        let value = try JSONValue(parsing: bytes)
        precondition(try! JSONValue(parsing: value.serialized()) == value, "JSON does not read back")
      }),
    Target(
      name: "PNG", seeds: [.file("formats/icon.png")], words: ["IHDR", "PLTE", "tRNS", "IDAT", "IEND", "gAMA", "iCCP"],
      parse: { bytes in
        _ = try bytes.withUnsafeBytes { (bytes) throws(ImageError) in try PNG.read(bytes, file: "fuzz") }
      }),
    Target(
      name: "IDX", seeds: [.text("\0\0\u{8}\u{2}\0\0\0\u{2}\0\0\0\u{3}abcdef"), .text("\0\0\u{8}\u{1}\0\0\0\u{1}x")],
      words: ["\0", "\u{8}", "\u{3}", "\u{7F}"],
      parse: { bytes in
        let tensor = try bytes.withUnsafeBytes { (bytes) throws(ImageError) in try IDX.read(bytes, file: "fuzz") }
        precondition(tensor.count <= bytes.count)
      }),
    Target(
      name: "CSV points", seeds: [.text("x,y\n1,-2.5e3\n\"3\",4\r\n\n5,6")],
      words: [",", "\n", "\"", "nan", "inf", "1e999", "0x1p4", "-", "\u{FEFF}"],
      parse: { bytes in
        let points = try PointFile(parsing: String(decoding: bytes, as: UTF8.self), file: "fuzz").points
        precondition(points.array().allSatisfy(\.isFinite))
      }),
    Target(
      name: "tokenizer", seeds: [.file("text/transformers/tokenizer.json")],
      words: ["\"", "{", "}", "[", "]", "null", "-1", "99999999999", "BPE", "Unigram", "WordPiece", "Metaspace"],
      parse: loadTokenizer),
    Target(
      name: "chat template",
      seeds: [
        .text("{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] | trim }}{% endfor %}"),
        .text(
          "{%- set n = namespace(i=0) -%}{% if messages[0].role == 'user' and not x is defined %}{{ n.i + 1 }}{% endif %}"
        ),
        .text(
          "{% macro f(a, b=2) %}{{ a[1:] ~ b | tojson }}{% endmacro %}{{ f('xyz') }}{% if false %}{{ raise_exception('no') }}{% endif %}"
        ),
      ],
      words: ["{%", "%}", "{{", "}}", "endfor", "| length", "[-1:]", "**", "loop.index0", "'", "is none", "\u{1F600}"],
      parse: { bytes in
        let template = try ChatTemplate(String(decoding: bytes, as: UTF8.self))
        _ = try template.render([ChatMessage(role: "user", content: "é∇ a")])
      }),
  ]

  @Test(arguments: targets) func survives(_ target: Target) throws {
    let environment = ProcessInfo.processInfo.environment
    let count = environment["NABLA_FUZZ_INPUTS"].flatMap { Int($0) } ?? 2000
    let first = environment["NABLA_FUZZ_FIRST"].flatMap { Int($0) } ?? 0
    let fuzzer = Fuzzer(
      name: target.name, seeds: try target.seeds.map { try $0.bytes() }, words: target.words.map { Array($0.utf8) })
    // The seeds themselves are right.
    for seed in fuzzer.seeds { try target.parse(seed) }
    let accepted = fuzzer.run(count: count, first: first, target.parse)
    // Neither everything nor nothing passes: the damage reaches the inner checks.
    if count >= 1000 { #expect(accepted > 0 && accepted < count, "\(accepted) of \(count) accepted") }
    if count > 2000 { print("\(target.name): \(count) inputs, \(accepted) accepted") }
  }

  /// Templates and tokenizers from a grammar reach deeper than damaged ones: what they ask for is well said, and too much.
  /// At least so many of them are accepted.
  static let grammars: [(name: String, least: Double, parse: @Sendable (_ number: Int) throws -> Void)] = [
    (
      "templates", 0.05,
      { number in
        var grammar = TemplateGrammar(number: number)
        let template = try ChatTemplate(grammar.template())
        _ = try template.render([ChatMessage(role: "user", content: "é∇ a")])
      }
    ),
    (
      "tokenizers", 0.5,
      { number in
        var grammar = TokenizerGrammar(number: number)
        try loadTokenizer(Array(grammar.tokenizer().serialized().utf8))
      }
    ),
  ]

  /// Every input ends soon, by the time that its thread computes, and takes little memory, which is measured where
  /// nothing else runs in the process.
  @Test(arguments: grammars.indices) func staysWithinBudgets(_ index: Int) throws {
    let environment = ProcessInfo.processInfo.environment
    let isAlone = environment["NABLA_FUZZ_INPUTS"] != nil
    let count = environment["NABLA_FUZZ_INPUTS"].flatMap { Int($0) } ?? 300
    let first = environment["NABLA_FUZZ_FIRST"].flatMap { Int($0) } ?? 0
    let (name, least, parse) = Self.grammars[index]
    var reasons: [String: Int] = [:]
    var (accepted, slowest) = (0, (seconds: 0.0, input: first))
    CrashReport.install()
    let before = peakMemory()
    for number in first..<first + count {
      CrashReport.begin(name, number)
      let start = threadSeconds()
      do {
        try parse(number)
        accepted += 1
      } catch { reasons[String("\(error)".suffix(60)), default: 0] += 1 }
      let seconds = threadSeconds() - start
      if seconds > slowest.seconds { slowest = (seconds, number) }
    }
    CrashReport.end()
    #expect(
      count < 100 || accepted < count && Double(accepted) >= least * Double(count),
      "\(accepted) of \(count) \(name) accepted; \(reasons.sorted { $0.value > $1.value }.prefix(12))")
    #expect(slowest.seconds < 20, "\(name): input \(slowest.input) takes \(slowest.seconds) s")
    if isAlone {
      let growth = (peakMemory() - before) >> 20
      #expect(growth < 1024, "\(name) took \(growth) MiB")
      print("\(name): \(count) inputs, \(accepted) accepted, the slowest \(slowest), \(growth) MiB")
    }
  }

  private func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private func peakMemory() -> Int {
    var usage = rusage()
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss << 10
  }

  @Sendable private static func parseGGUF(_ bytes: [UInt8]) throws {
    let header = try bytes.withUnsafeBytes { try GGUFHeader($0, file: "fuzz") }
    for entry in header.entries {
      precondition(entry.byteRange.lowerBound >= 24 && entry.byteRange.upperBound <= bytes.count)
      precondition(entry.type.byteCount(shape: entry.shape) == entry.byteRange.count)
    }
    for member in header.metadata.members {
      _ = member.value.description
      let array = member.value.array
      _ = (array?.strings(), array?.integers(), array?.doubles(), array?.bools())
    }
  }

  /// A tokenizer that loads must also take any text, and give it back as text.
  @Sendable private static func loadTokenizer(_ bytes: [UInt8]) throws {
    let path = NSTemporaryDirectory() + "nabla-fuzz-\(getpid()).json"
    defer { unlink(path) }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let tokenizer = try PretrainedTokenizer.load(path).tokenizer
    _ = tokenizer.decode(try tokenizer.encode("The ∇ é 123 \u{1F600}\n"))
  }

  /// A model's metadata and tensors, out of a file.
  @Sendable private static func loadGGUF(_ bytes: [UInt8]) throws {
    let path = NSTemporaryDirectory() + "nabla-fuzz-\(getpid()).gguf"
    defer { unlink(path) }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let model = try GGUFModel(path: path)
    for (name, tensor) in try model.state() { precondition(tensor.count > 0, name) }
  }
}

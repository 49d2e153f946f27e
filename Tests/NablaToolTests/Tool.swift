import Foundation
import Nabla
import Testing

/// Every test here drives the built `nabla`, one after the other: some measure moments of a run.
@Suite(.serialized) enum ToolTests {}

/// The built tool as a child process.
enum Tool {
  /// It lies beside the test binary.
  static let path = Bundle.main.bundleURL.appendingPathComponent("nabla").path

  struct Result {
    /// The exit code, or 128 plus the signal that ended it.
    var status: Int32
    var output: String
    var errors: String
    /// For a failed expectation to show.
    var summary: String { "exit \(status)\n--- stdout\n\(output.suffix(2000))\n--- stderr\n\(errors.suffix(2000))" }
  }

  /// A running child. Its output goes to files, which never fill up and can be read at any time.
  final class Child {
    let process = Process()
    private let outputPath: String
    private let errorsPath: String

    init(_ command: [String], environment: [String: String], input: [UInt8]?) throws {
      let base = NSTemporaryDirectory() + "nabla-tool-" + UUID().uuidString
      (outputPath, errorsPath) = (base + ".out", base + ".err")
      for path in [outputPath, errorsPath] { try write([], to: path) }
      process.executableURL = URL(fileURLWithPath: command[0])
      process.arguments = Array(command.dropFirst())
      // One thread: these models are too small for two, which on a busy machine would wait for each other.
      process.environment = ProcessInfo.processInfo.environment.merging(["OMP_NUM_THREADS": "1"]) { $1 }
        .merging(environment) { $1 }
      process.standardOutput = FileHandle(forWritingAtPath: outputPath)
      process.standardError = FileHandle(forWritingAtPath: errorsPath)
      if let input {
        let path = base + ".in"
        try Data(input).write(to: URL(fileURLWithPath: path))
        process.standardInput = FileHandle(forReadingAtPath: path)
        unlink(path)
      } else {
        process.standardInput = FileHandle.nullDevice
      }
      try process.run()
    }

    var output: String { (try? readText(outputPath)) ?? "" }
    var errors: String { (try? readText(errorsPath)) ?? "" }

    /// Waits until `condition` holds. (Five minutes: only a tool that hangs should come to the end of them.)
    func wait(for condition: (Child) -> Bool) throws {
      for _ in 0..<150_000 {
        if condition(self) { return }
        try #require(process.isRunning, "the tool ended early: \(errors)")
        usleep(2000)
      }
      Issue.record("the tool did not come to the awaited point in five minutes: \(errors)")
    }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Sends a signal and waits until it has arrived: a second one that is sent before would be the same one.
    func deliver(_ number: Int32) throws {
      signal(number)
      try wait { !$0.process.isRunning || !$0.signals("ShdPnd").contains(number) }
    }

    /// A set of signals out of the system's record of the process, such as ShdPnd, those that are on their way to it.
    private func signals(_ name: String) -> Set<Int32> {
      let status = (try? readText("/proc/\(process.processIdentifier)/status")) ?? ""
      guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name + ":") }),
        let mask = UInt64(line.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces), radix: 16)
      else { return [] }
      return Set((1...64).filter { mask >> UInt64($0 - 1) & 1 == 1 })
    }

    func finish() throws -> Result {
      process.waitUntilExit()
      defer {
        unlink(outputPath)
        unlink(errorsPath)
      }
      let status = process.terminationStatus
      return Result(
        status: process.terminationReason == .uncaughtSignal ? 128 + status : status, output: try readText(outputPath),
        errors: errors)
    }
  }

  static func start(_ arguments: [String], environment: [String: String] = [:]) throws -> Child {
    try Child([path] + arguments, environment: environment, input: nil)
  }

  @discardableResult
  static func run(
    _ arguments: [String], environment: [String: String] = [:], input: [UInt8]? = nil, through: [String] = []
  ) throws -> Result {
    try Child(through + [path] + arguments, environment: environment, input: input).finish()
  }

  /// Runs a test that sends a signal into the middle of some work, with ever more work until it says that the signal
  /// came in time: how long work takes depends on the machine.
  static func growing(_ body: (_ scale: Int) throws -> Bool) throws {
    for scale in [1, 4, 16] where try body(scale) { return }
    Issue.record("the work had ended whenever the signal came")
  }

  /// Runs a shell script, in which `$nabla` is the tool and `$1`… are the arguments.
  static func shell(_ script: String, _ arguments: [String]) throws -> Result {
    try Child(["/bin/sh", "-c", script, "sh"] + arguments, environment: ["nabla": path], input: nil).finish()
  }

  /// Flags of a model that trains in milliseconds.
  static let tiny = [
    "--layers", "1", "--width", "16", "--heads", "2", "--context", "16", "--tokenizer", "byte", "--batch-size", "2",
    "--evaluate-every", "0", "--sample-length", "0", "--validation-fraction", "0.1", "--learning-rate", "1e-2",
    "--precision", "float32",
  ]

  /// Trains a tiny model and expects that it works.
  @discardableResult
  static func train(_ text: String, output: String, _ flags: [String] = []) throws -> Result {
    let result = try run(["pretrain", text] + tiny + ["--output", output] + flags)
    #expect(result.status == 0, "\(result.summary)")
    return result
  }
}

/// Runs `body` in a fresh folder that other users can read, with a text `text.txt` in it.
func withFolder<R>(_ body: (String) throws -> R) throws -> R {
  let folder = NSTemporaryDirectory() + "nabla-tool-tests-" + UUID().uuidString
  try FileManager.default.createDirectory(
    atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
  defer { try? FileManager.default.removeItem(atPath: folder) }
  try write(Array(sentences.utf8), to: folder + "/text.txt")
  return try body(folder)
}

/// About 4 kB of text with something to learn in it.
let sentences = (0..<80).map { "Line \($0): the quick brown fox jumps over the lazy dog.\n" }.joined()

func write(_ bytes: [UInt8], to path: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

func readBytes(_ path: String) throws -> [UInt8] { try Array(Data(contentsOf: URL(fileURLWithPath: path))) }

func readText(_ path: String) throws -> String { String(decoding: try readBytes(path), as: UTF8.self) }

/// The weights of a finished run, for comparing bit by bit.
func weights(_ run: String) throws -> [UInt8] { try readBytes(run + "/model/model.safetensors") }

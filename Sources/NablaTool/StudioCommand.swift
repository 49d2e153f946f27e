import ArgumentParser
import Glibc
import Nabla

/// Starts `nabla-studio`, a separate program, so that `nabla` builds without a web server.
struct StudioCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "studio", abstract: "Open an interactive page that shows how the algorithms work, computed live.",
    usage: "nabla studio [--port <n>] [--model <model>] [--run <run>] ... [--no-open]",
    discussion: "'nabla studio --help' shows all options.")

  @Argument(parsing: .captureForPassthrough, help: .hidden)
  var arguments: [String] = []

  func run() throws {
    var program = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = program.withUnsafeMutableBytes {
      readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    let path = String(decoding: program.prefix(max(0, count)), as: UTF8.self) + "-studio"
    let words = ([path] + arguments).map { strdup($0) } + [nil]
    execv(path, words)
    guard errno == ENOENT else { throw FileError(path: path, operation: "run", code: errno) }
    note(
      """
      Error: \(path) is not there: the studio is a program of its own, so that 'nabla' is built without a web server.
        Build it with: swift build -c release --product nabla-studio
      """)
    throw ExitCode.failure
  }
}

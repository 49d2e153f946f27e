import ArgumentParser
import Foundation

/// Measures Nabla and its peers alternately, round by round, and prints a Markdown table of the medians.
@main
struct NablaBenchmarks: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare Nabla with the Python stack on the same workloads, alternately in one run.",
    discussion: "Rows: " + Row.all.map(\.name).joined(separator: ", "))

  @Option(help: "Prefix of the names of the rows to run; may be repeated.")
  var only: [String] = []

  @Option(help: "Number of rounds per side; the table shows the median.")
  var rounds = 5

  @Option(help: "Number of threads, for both sides.")
  var threads = 2

  @Option(help: "Python interpreter that has torch.")
  var python = ".venv/bin/python"

  @Option(help: "Folder of the peer scripts.")
  var peers = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../peers").standardized.path

  @Option(help: ArgumentHelp("Serve rounds of one row on standard input and output.", visibility: .hidden))
  var serve: String?

  func validate() throws {
    if rounds < 1 { throw ValidationError("--rounds is \(rounds); give at least 1") }
    if threads < 1 { throw ValidationError("--threads is \(threads); give at least 1") }
    for prefix in only where !Row.all.contains(where: { $0.name.hasPrefix(prefix) }) {
      throw ValidationError("no row's name starts with '\(prefix)'; see --help for the rows")
    }
  }

  func run() throws {
    if let serve {
      guard let row = Row.all.first(where: { $0.name == serve }) else {
        throw ValidationError("there is no row '\(serve)'")
      }
      return try serveRounds(of: row)
    }
    // If a child exits early, the next write to it fails and is reported, instead of ending the driver.
    signal(SIGPIPE, SIG_IGN)
    var measurements: [Measurement] = []
    for row in Row.all where only.isEmpty || only.contains(where: { row.name.hasPrefix($0) }) {
      do { measurements.append(try measure(row)) } catch let error as PeerError { note("skipped \(error)") }
    }
    print(Measurement.header)
    for measurement in measurements { print(measurement.markdown) }
    if measurements.isEmpty { throw ExitCode.failure }
  }

  /// Runs the rounds of both sides of `row`, one of each in turn.
  private func measure(_ row: Row) throws -> Measurement {
    // Both sides take the OpenMP setting; PyTorch's scripts take the flag too.
    let environment = ["OMP_NUM_THREADS": "\(threads)"]
    let peer = try Peer(
      name: "\(row.name) (peer)", executable: URL(filePath: python),
      arguments: ["\(peers)/\(row.peer.script)", "--serve", "--threads", "\(threads)"] + row.peer.arguments,
      environment: environment)
    defer { peer.finish() }
    let nabla = try row.nabla.map { _ in
      try Peer(
        name: "\(row.name) (Nabla)", executable: URL(filePath: "/proc/self/exe").resolvingSymlinksInPath(),
        arguments: ["--serve", row.name, "--threads", "\(threads)"], environment: environment)
    }
    defer { nabla?.finish() }
    var measurement = Measurement(row: row)
    for round in 1...rounds {
      measurement.peer.append(try peer.round())
      if let nabla { measurement.nabla.append(try nabla.round()) }
      note("\(row.name): round \(round) of \(rounds)")
    }
    return measurement
  }

  private func note(_ message: String) {
    FileHandle.standardError.write(Data((message + "\n").utf8))
  }
}

import Foundation

/// A child process that runs one round of a workload on request.
///
/// The protocol is the same for Python peers and for Nabla's own side: a line `go` on standard input runs a round, and
/// the child answers with one line of JSON whose numbers are the figures of that round. End of input ends the child.
/// While one child works, the others wait for input, so two can be measured alternately without competing for cores.
final class Peer {
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var unread = Data()
  let name: String

  /// Starts `executable` with `arguments`. Standard error is passed through.
  init(name: String, executable: URL, arguments: [String], environment: [String: String] = [:]) throws {
    self.name = name
    process.executableURL = executable
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
    process.standardInput = input
    process.standardOutput = output
    do { try process.run() } catch {
      throw PeerError(description: "\(name): cannot start \(executable.path): \(error.localizedDescription)")
    }
  }

  /// Runs one round in the child and returns its figures.
  func round() throws -> [String: Double] {
    do { try input.fileHandleForWriting.write(contentsOf: Data("go\n".utf8)) } catch { throw ended() }
    guard let line = readLine() else { throw ended() }
    guard let object = try? JSONSerialization.jsonObject(with: line) as? [String: Any] else {
      throw PeerError(description: "\(name): not a line of JSON: \(String(decoding: line, as: UTF8.self))")
    }
    return object.compactMapValues { ($0 as? NSNumber)?.doubleValue }
  }

  /// Closes the child's input and waits for it to end.
  func finish() {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  /// The next line of output, without its newline; nil at the end of output.
  private func readLine() -> Data? {
    while true {
      if let newline = unread.firstIndex(of: UInt8(ascii: "\n")) {
        let line = Data(unread[..<newline])
        unread = Data(unread[unread.index(after: newline)...])
        return line
      }
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { return nil }
      unread.append(more)
    }
  }

  private func ended() -> PeerError {
    finish()
    return PeerError(description: "\(name): ended with status \(process.terminationStatus); its message is above")
  }
}

struct PeerError: Error, CustomStringConvertible {
  let description: String
}

/// Serves rounds of `row` in this process with the protocol of `Peer`: what the driver runs for Nabla's side.
func serveRounds(of row: Row) throws {
  guard let nabla = row.nabla else { throw PeerError(description: "\(row.name): has no Nabla side") }
  let round = try nabla()
  while let line = Swift.readLine(strippingNewline: true) {
    guard line == "go" else { throw PeerError(description: "\(row.name): expected the line 'go', got '\(line)'") }
    let figures = try round()
    FileHandle.standardOutput.write(try JSONSerialization.data(withJSONObject: figures) + Data("\n".utf8))
  }
}

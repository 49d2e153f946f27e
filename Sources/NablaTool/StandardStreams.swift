import Glibc
import Nabla

/// All of standard input.
func readStandardInput() throws(FileError) -> [UInt8] {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = retryingInterrupts { read(STDIN_FILENO, &buffer, buffer.count) }
    if count < 0 { throw FileError(path: "standard input", operation: "read", code: errno) }
    if count == 0 { return bytes }
    bytes += buffer[..<count]
  }
}

/// Writes to standard output immediately. A closed pipe ends the program quietly.
func show(_ text: String) throws(FileError) { try write(text, to: STDOUT_FILENO, called: "standard output") }

/// Prints a message on standard error.
func note(_ text: String) { try? write(text + "\n", to: STDERR_FILENO, called: "standard error") }

private func write(_ text: String, to descriptor: Int32, called name: String) throws(FileError) {
  var bytes = Array(text.utf8)[...]
  while !bytes.isEmpty {
    let count = bytes.withUnsafeBytes { pointer in
      retryingInterrupts { Glibc.write(descriptor, pointer.baseAddress, pointer.count) }
    }
    // If SIGPIPE is blocked or ignored, exit with the status it would have given.
    if count < 0, errno == EPIPE { _exit(128 + SIGPIPE) }
    if count < 0 { throw FileError(path: name, operation: "write to", code: errno) }
    bytes = bytes.dropFirst(count)
  }
}

import Glibc

/// Everything that a descriptor gives, to its end.
func readAll(_ descriptor: Int32) -> [UInt8] {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = read(descriptor, &buffer, buffer.count)
    if count <= 0 { return bytes }
    bytes += buffer[..<count]
  }
}

/// Writes to standard output at once.
func show(_ text: String) {
  print(text, terminator: "")
  fflush(nil)
}

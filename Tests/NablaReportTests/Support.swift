import Glibc
import NablaFormats

/// Runs `body` with a fresh folder that is removed afterwards.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  var template = Array("/tmp/nabla-tests-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw FileError(path: "/tmp", operation: "create a folder in", code: errno) }
  let folder = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  defer { try? removeTree(folder) }
  return try body(folder)
}

func readBytes(_ path: String) throws -> [UInt8] { try MappedFile(path: path).withBytes { Array($0) } }

func readText(_ path: String) throws -> String { String(decoding: try readBytes(path), as: UTF8.self) }

/// Puts bytes at a path without ceremony.
func overwrite(_ path: String, _ bytes: [UInt8]) throws {
  let writer = try FileWriter(path: path)
  try writer.write(bytes)
  try writer.close(synchronizing: false)
}

/// A small deterministic generator (SplitMix64), so that a failing case can be found again.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

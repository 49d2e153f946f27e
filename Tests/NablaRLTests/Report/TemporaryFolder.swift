import Glibc
import NablaFormats

/// Runs `body` with a fresh folder that is removed afterwards.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  var template = Array("/tmp/nabla-rl-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw FileError(path: "/tmp", operation: "create a folder in", code: errno) }
  let folder = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  defer { try? removeTree(folder) }
  return try body(folder)
}

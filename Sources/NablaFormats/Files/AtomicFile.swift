import Glibc

/// Writes a file atomically: its path holds either the old contents or the complete new ones, even after a power cut.
///
/// The bytes go to a temporary sibling, which is flushed to disk and renamed over the path; then the folder is flushed,
/// so that the new name is durable too.
public enum AtomicFile {
  /// Replaces `path` with what `body` writes. When `body` or the disk fails, `path` is untouched and the temporary is
  /// removed.
  public static func write(to path: String, _ body: (FileWriter) throws -> Void) throws {
    let temporary = temporarySibling(of: path)
    do {
      let writer = try FileWriter(path: temporary, mode: .createNew)
      try body(writer)
      try writer.close(synchronizing: true)
      if rename(temporary, path) != 0 { throw FileError("write", path) }
    } catch {
      unlink(temporary)
      // Report the error under the name that the user knows.
      if let error = error as? FileError, error.path == temporary {
        throw FileError(path: path, operation: error.operation, code: error.code)
      }
      throw error
    }
    try synchronizeFolder(parentFolder(of: path))
  }

  public static func write(_ text: String, to path: String) throws {
    try write(to: path) { try $0.write(text) }
  }

  public static func write(_ bytes: [UInt8], to path: String) throws {
    try write(to: path) { try $0.write(bytes) }
  }
}

/// `.NAME.temporary-RANDOM` beside `path`: same file system, hidden, recognizable by ``isTemporaryName(_:)``.
func temporarySibling(of path: String) -> String {
  let name = path.split(separator: "/").last.map(String.init) ?? "file"
  return "\(parentFolder(of: path))/.\(name).temporary-\(String(UInt64.random(in: .min ... .max), radix: 36))"
}

func isTemporaryName(_ name: String) -> Bool { name.hasPrefix(".") && name.contains(".temporary-") }

/// The folder that holds `path`: "." for a bare name.
package func parentFolder(of path: String) -> String {
  var rest = path[...]
  while rest.count > 1, rest.last == "/" { rest.removeLast() }
  guard let slash = rest.lastIndex(of: "/") else { return "." }
  return slash == rest.startIndex ? "/" : String(rest[..<slash])
}

/// Makes the names in a folder durable.
func synchronizeFolder(_ path: String) throws(FileError) {
  try synchronize(path, flags: O_DIRECTORY)
}

func synchronize(_ path: String, flags: Int32 = 0) throws(FileError) {
  let descriptor = retryingInterrupts { open(path, O_RDONLY | O_CLOEXEC | flags) }
  if descriptor < 0 { throw FileError("open", path) }
  defer { close(descriptor) }
  // Some network file systems cannot flush a folder and return EINVAL; the rename is then as durable as it can be.
  if retryingInterrupts({ fsync(descriptor) }) != 0, errno != EINVAL { throw FileError("write", path) }
}

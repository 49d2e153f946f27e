import Glibc

/// A file mapped read-only into memory: its pages are read when touched and shared between processes.
///
/// The length is taken once. A file that another program shortens while it is mapped ends this program with SIGBUS, so
/// files are replaced by rename (``AtomicFile``), never rewritten in place.
public final class MappedFile: Sendable {
  public let path: String
  /// The size of the file in bytes.
  public let count: Int

  // Safe to share: the mapping is read-only and lives until deinit.
  private nonisolated(unsafe) let base: UnsafeMutableRawPointer?

  /// Gives `body` all bytes of the file. They are valid within `body` only: the mapping ends with this object.
  public func withBytes<Result, Failure>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(self) {} }
    return try body(UnsafeRawBufferPointer(start: base, count: count))
  }

  public init(path: String) throws(FileError) {
    let descriptor = retryingInterrupts { open(path, O_RDONLY | O_CLOEXEC) }
    if descriptor < 0 { throw FileError("open", path) }
    defer { close(descriptor) }

    var status = stat()
    if fstat(descriptor, &status) != 0 { throw FileError("read", path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw FileError(path: path, operation: "read", code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
    }
    self.path = path
    count = Int(status.st_size)
    if count == 0 {  // mmap refuses a length of zero
      base = nil
      return
    }
    guard let mapping = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), mapping != MAP_FAILED else {
      throw FileError("map", path)
    }
    base = mapping
  }

  deinit {
    if let base { munmap(base, count) }
  }
}

import Glibc

/// A file mapped read-only into memory: its pages are read when touched and shared between processes.
///
/// The length is read once. A file that another program shortens while it is mapped ends this program with SIGBUS, so
/// files are replaced by rename (``AtomicFile``), never rewritten in place. A pipe is read to its end instead.
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
    // Without waiting: a pipe that nobody writes to would hold the program for ever.
    let descriptor = retryingInterrupts { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
    if descriptor < 0 { throw FileError("open", path) }
    defer { close(descriptor) }

    var status = stat()
    if fstat(descriptor, &status) != 0 { throw FileError("read", path) }
    self.path = path
    switch status.st_mode & S_IFMT {
    case S_IFREG:
      count = Int(status.st_size)
      base = try Self.map(count, descriptor, path)
    case S_IFIFO:
      let bytes = try Self.readToEnd(descriptor, path)
      count = bytes.count
      base = try Self.map(count, -1, path)
      if let base { bytes.withUnsafeBytes { base.copyMemory(from: $0.baseAddress!, byteCount: bytes.count) } }
    case let kind: throw FileError(path: path, operation: "read", code: kind == S_IFDIR ? EISDIR : EINVAL)
    }
  }

  /// A mapping of a file, or of new memory for the descriptor -1; nil for a length of 0, which mmap rejects.
  private static func map(_ count: Int, _ descriptor: Int32, _ path: String) throws(FileError)
    -> UnsafeMutableRawPointer?
  {
    if count == 0 { return nil }
    let (access, flags) =
      descriptor < 0 ? (PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS) : (PROT_READ, MAP_PRIVATE)
    guard let mapping = mmap(nil, count, access, flags, descriptor, 0), mapping != MAP_FAILED else {
      throw FileError("map", path)
    }
    return mapping
  }

  /// Reads a pipe until its writers have closed it: at once if there are none.
  private static func readToEnd(_ descriptor: Int32, _ path: String) throws(FileError) -> [UInt8] {
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = retryingInterrupts { read(descriptor, &part, part.count) }
      if count < 0, errno == EAGAIN {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = poll(&waiting, 1, -1)
        continue
      }
      if count < 0 { throw FileError("read", path) }
      if count == 0 { return bytes }
      bytes += part[..<count]
    }
  }

  deinit {
    if let base { munmap(base, count) }
  }
}

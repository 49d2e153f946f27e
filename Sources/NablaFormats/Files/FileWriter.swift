import Glibc

/// A buffered writer of bytes to one file that turns every failed call into a ``FileError``.
///
/// Call ``close(synchronizing:)`` when done: it reports the errors of the last bytes. A writer that is released
/// without it closes its file and loses what was still in its buffer.
public final class FileWriter {
  public let path: String
  /// Bytes accepted so far.
  public private(set) var byteCount = 0

  private var descriptor: Int32
  private var buffer: [UInt8] = []
  private static let bufferCapacity = 1 << 16

  /// What to do with an existing file.
  public enum Mode: Sendable {
    /// Start empty; discard the old contents.
    case truncate
    /// Append to the old contents.
    case append
    /// Fail with `EEXIST` if the file exists.
    case createNew
  }

  public init(path: String, mode: Mode = .truncate) throws(FileError) {
    let flags: Int32 =
      switch mode {
      case .truncate: O_TRUNC
      case .append: O_APPEND
      case .createNew: O_EXCL
      }
    self.path = path
    descriptor = retryingInterrupts { open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0o644) }
    if descriptor < 0 { throw FileError("create", path) }
  }

  deinit {
    if descriptor >= 0 { _ = Glibc.close(descriptor) }
  }

  public func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    byteCount += bytes.count
    // Large pieces (tensors) go straight to the kernel; small ones are collected.
    if buffer.count + bytes.count > Self.bufferCapacity { try flush() }
    if bytes.count >= Self.bufferCapacity {
      try writeThrough(bytes)
    } else {
      buffer.append(contentsOf: bytes)
    }
  }

  public func write(_ bytes: [UInt8]) throws(FileError) {
    let result = bytes.withUnsafeBytes { pointer in Result { () throws(FileError) in try write(pointer) } }
    try result.get()
  }

  public func write(_ text: String) throws(FileError) { try write(Array(text.utf8)) }

  /// Passes the buffered bytes to the system: other programs see them, but a power cut may still lose them.
  public func flush() throws(FileError) {
    guard !buffer.isEmpty else { return }
    let pending = buffer
    buffer.removeAll(keepingCapacity: true)
    let result = pending.withUnsafeBytes { pointer in
      Result { () throws(FileError) in try writeThrough(pointer) }
    }
    try result.get()
  }

  /// Flushes and closes; with `synchronizing`, returns only once the bytes are on the disk.
  public func close(synchronizing: Bool) throws(FileError) {
    try flush()
    if synchronizing, retryingInterrupts({ fsync(descriptor) }) != 0 { throw FileError("write", path) }
    let closing = descriptor
    descriptor = -1
    // Never retried: Linux has released the descriptor even when close reports an interruption.
    if Glibc.close(closing) != 0, errno != EINTR { throw FileError("write", path) }
  }

  private func writeThrough(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var rest = bytes
    while !rest.isEmpty {
      let written = retryingInterrupts { Glibc.write(descriptor, rest.baseAddress, rest.count) }
      if written < 0 { throw FileError("write", path) }
      rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
  }
}

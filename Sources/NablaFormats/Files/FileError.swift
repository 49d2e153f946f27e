import Glibc

/// A system call on a file failed. The description names the file, the operation, and the system's reason.
public struct FileError: Error, Equatable, CustomStringConvertible {
  public var path: String
  /// The operation, as a verb: "open", "write", "rename".
  public var operation: String
  /// The value of `errno` after the call.
  public var code: Int32

  public init(path: String, operation: String, code: Int32) {
    self.path = path
    self.operation = operation
    self.code = code
  }

  /// An error for the call that just failed, from `errno`.
  package init(_ operation: String, _ path: String) {
    self.init(path: path, operation: operation, code: errno)
  }

  /// Whether no space was left: the disk or the user's quota is full.
  public var isDiskFull: Bool { code == ENOSPC || code == EDQUOT }

  public var description: String {
    let reason = isDiskFull ? "the disk is full; free some space" : String(cString: strerror(code))
    return "cannot \(operation) \(path): \(reason)"
  }
}

/// Repeats a system call that a signal interrupted. The call reports failure with -1.
@discardableResult
package func retryingInterrupts<T: SignedInteger>(_ call: () -> T) -> T {
  while true {
    let result = call()
    if result != -1 || errno != EINTR { return result }
  }
}

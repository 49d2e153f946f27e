import Glibc

/// Writes a folder of files atomically: its path appears complete or not at all, even after a power cut.
public enum AtomicFolder {
  /// Creates the folder `path` with what `body` writes into the temporary folder it is given, replacing a folder
  /// already there. Every file and folder below is flushed to disk before the name appears.
  ///
  /// When `body` or the disk fails, `path` is untouched and the temporary is removed.
  public static func write<Result>(to path: String, _ body: (_ temporary: String) throws -> Result) throws -> Result {
    let temporary = temporarySibling(of: path)
    if mkdir(temporary, 0o755) != 0 { throw FileError("create", path) }
    // Held while this process lives, so `removeLeftovers` can tell a dead writer's folder from one in use.
    let lock = FolderLock(temporary)
    defer { lock?.release() }

    let result: Result
    do {
      result = try body(temporary)
      try synchronizeTree(temporary)
      try replace(path, with: temporary)
    } catch {
      try? removeTree(temporary)
      throw error
    }
    try synchronizeFolder(parentFolder(of: path))
    return result
  }

  /// Removes a folder so that its path never holds a part of it; a crash leaves only a temporary.
  package static func remove(_ path: String) throws(FileError) {
    let aside = temporarySibling(of: path)
    if rename(path, aside) != 0 { throw FileError("remove", path) }
    try removeTree(aside)
  }

  /// Removes the temporaries of writers that died, files and folders alike, and returns their names.
  @discardableResult
  public static func removeLeftovers(in folder: String) throws(FileError) -> [String] {
    var removed: [String] = []
    for name in try folderEntries(folder) where isTemporaryName(name) {
      let path = "\(folder)/\(name)"
      let lock = FolderLock(path)
      if lock == nil, isFolder(path) { continue }  // its writer is alive
      defer { lock?.release() }
      try removeTree(path)
      removed.append(name)
    }
    return removed
  }

  /// Moves `temporary` to `path`. A folder already there is first moved aside: a crash in between leaves neither
  /// half-written contents nor a mixture, only the absence of the name.
  private static func replace(_ path: String, with temporary: String) throws {
    if rename(temporary, path) == 0 { return }
    guard errno == ENOTEMPTY || errno == EEXIST else { throw FileError("write", path) }
    let aside = temporarySibling(of: path)
    if rename(path, aside) != 0 { throw FileError("replace", path) }
    if rename(temporary, path) != 0 {
      let error = FileError("write", path)
      rename(aside, path)
      throw error
    }
    try removeTree(aside)
  }
}

/// An advisory lock on a folder, released when its holder exits, however that happens.
package struct FolderLock: Sendable {
  private let descriptor: Int32

  /// Nil when another open holds the lock (or the folder cannot be opened).
  package init?(_ path: String) {
    descriptor = retryingInterrupts { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard descriptor >= 0 else { return nil }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      // A file system without locks (ENOLCK, EOPNOTSUPP) must not stop the work: carry on unlocked.
      if errno == EWOULDBLOCK {
        close(descriptor)
        return nil
      }
    }
  }

  package func release() { close(descriptor) }
}

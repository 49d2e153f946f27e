import Glibc

/// The names in a folder, sorted by their bytes, without "." and "..".
package func folderEntries(_ path: String) throws(FileError) -> [String] {
  guard let stream = opendir(path) else { throw FileError("open", path) }
  defer { closedir(stream) }
  var names: [String] = []
  errno = 0
  while let entry = readdir(stream) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    if name != "." && name != ".." { names.append(name) }
    errno = 0
  }
  if errno != 0 { throw FileError("read", path) }
  return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}

/// Whether `path` is a folder itself, not a link to one.
package func isFolder(_ path: String) -> Bool {
  var status = stat()
  return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// Whether anything is at `path`.
package func pathExists(_ path: String) -> Bool { access(path, F_OK) == 0 }

/// Creates a folder and its parents; an existing one is fine.
package func createFolders(_ path: String) throws(FileError) {
  if mkdir(path, 0o755) == 0 { return }
  switch errno {
  case EEXIST:
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
    throw FileError(path: path, operation: "create the folder", code: ENOTDIR)
  case ENOENT where parentFolder(of: path) != path:
    try createFolders(parentFolder(of: path))
    if mkdir(path, 0o755) != 0, errno != EEXIST { throw FileError("create the folder", path) }
  default:
    throw FileError("create the folder", path)
  }
}

/// Removes a file, a link, or a folder with all below it. Links are removed, not followed.
package func removeTree(_ path: String) throws(FileError) {
  if isFolder(path) {
    for name in try folderEntries(path) { try removeTree("\(path)/\(name)") }
    if rmdir(path) != 0 { throw FileError("remove", path) }
  } else if unlink(path) != 0 {
    throw FileError("remove", path)
  }
}

/// Flushes every file and folder at and below `path` to the disk.
func synchronizeTree(_ path: String) throws(FileError) {
  for name in try folderEntries(path) {
    let child = "\(path)/\(name)"
    if isFolder(child) {
      try synchronizeTree(child)
    } else {
      try synchronize(child)
    }
  }
  try synchronizeFolder(path)
}

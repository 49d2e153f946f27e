import Glibc

/// The folder that paths are relative to.
package func currentFolder() -> String? {
  guard let name = getcwd(nil, 0) else { return nil }
  defer { free(name) }
  return String(cString: name)
}

/// A path that means the same from every folder.
package func absolutePath(_ path: String) -> String {
  guard !path.hasPrefix("/"), let folder = currentFolder() else { return path }
  return folder == "/" ? "/\(path)" : "\(folder)/\(path)"
}

/// Where a file is that the files in `folder` name by a relative path: as it is named from here, or else from that
/// folder or one above it. The path itself where it is nowhere.
package func located(_ path: String, near folder: String) -> String {
  if path.hasPrefix("/") || pathExists(path) { return path }
  var above = absolutePath(folder)
  while true {
    let candidate = "\(above == "/" ? "" : above)/\(path)"
    if pathExists(candidate) { return candidate }
    let next = parentFolder(of: above)
    if next == above { return path }
    above = next
  }
}

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

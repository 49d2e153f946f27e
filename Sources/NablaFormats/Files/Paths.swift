import Glibc

/// The working directory.
package func currentFolder() -> String? {
  guard let name = getcwd(nil, 0) else { return nil }
  defer { free(name) }
  return String(cString: name)
}

/// An absolute path.
package func absolutePath(_ path: String) -> String {
  guard !path.hasPrefix("/"), let folder = currentFolder() else { return path }
  return folder == "/" ? "/\(path)" : "\(folder)/\(path)"
}

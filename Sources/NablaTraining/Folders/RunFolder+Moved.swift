import Glibc
import NablaFormats

extension RunFolder {
  /// The file that a run's configuration names, even if the run and the file have been moved together: then it is the
  /// longest suffix of its path that exists in a folder above the run. The file name alone, unless it is a whole relative
  /// path, is looked for in the nearest two folders only.
  ///
  /// - Returns: nil if there is no such file.
  public static func located(_ file: String, of run: String) -> String? {
    if pathExists(file) { return file }
    guard let resolved = realpath(run, nil) else { return nil }
    defer { free(resolved) }
    let parts = file.split(separator: "/")
    let above = String(cString: resolved).split(separator: "/").dropLast()
    let folders = above.indices.reversed().map { "/" + above[...$0].joined(separator: "/") } + [""]
    // The whole of an absolute path is not there.
    for start in parts.indices.dropFirst(file.hasPrefix("/") ? 1 : 0) {
      let end = parts[start...].joined(separator: "/")
      let isNameAlone = start > 0 && start == parts.count - 1
      for folder in isNameAlone ? folders.prefix(2) : folders[...] where pathExists("\(folder)/\(end)") {
        return "\(folder)/\(end)"
      }
    }
    return nil
  }

  /// - Throws: ``TrainingError/fileOfRunIsMissing(run:file:)`` if there is no such file.
  public static func locate(_ file: String, of run: String) throws(TrainingError) -> String {
    guard let found = located(file, of: run) else { throw .fileOfRunIsMissing(run: run, file: file) }
    return found
  }
}

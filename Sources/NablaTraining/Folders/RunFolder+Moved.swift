import Glibc
import NablaFormats

extension RunFolder {
  /// The file that a run's configuration names, even if the run and the file have been moved together: then it is the
  /// longest suffix of its path that exists in a folder above the run. A suffix has at least two components, or is a
  /// whole relative path; a file with the same name next to the run is tried last.
  ///
  /// - Returns: nil if there is no such file.
  public static func located(_ file: String, of run: String) -> String? {
    if pathExists(file) { return file }
    guard let resolved = realpath(run, nil) else { return nil }
    defer { free(resolved) }
    let parts = file.split(separator: "/")
    let above = String(cString: resolved).split(separator: "/").dropLast()
    let beside = "/" + above.joined(separator: "/")
    for start in file.hasPrefix("/")
      ? parts.indices.dropFirst().dropLast() : parts.indices.dropLast(parts.count > 1 ? 1 : 0)
    {
      let end = parts[start...].joined(separator: "/")
      var folders = above
      while true {
        let candidate = folders.isEmpty ? "/\(end)" : "/\(folders.joined(separator: "/"))/\(end)"
        if pathExists(candidate) { return candidate }
        if folders.popLast() == nil { break }
      }
    }
    let last = parts.last.map { "\(beside)/\($0)" }
    return last.flatMap { pathExists($0) ? $0 : nil }
  }

  /// - Throws: ``TrainingError/fileOfRunIsMissing(run:file:)`` if there is no such file.
  public static func locate(_ file: String, of run: String) throws(TrainingError) -> String {
    guard let found = located(file, of: run) else { throw .fileOfRunIsMissing(run: run, file: file) }
    return found
  }
}

import Glibc
import NablaFormats

extension RunFolder {
  /// Creates `runs/COMMAND-YYYY-MM-DD-N` in the working directory with the first N that is free.
  static func createNumberedFolder(command: String) throws(FileError) -> String {
    try createFolders("runs")
    let base = "runs/\(command)-\(today())"
    var number = 1
    // Creating is the test: two runs that start together get two folders.
    while mkdir("\(base)-\(number)", 0o755) != 0 {
      guard errno == EEXIST else { throw FileError("create the folder", "\(base)-\(number)") }
      number += 1
    }
    return "\(base)-\(number)"
  }

  /// The local date as YYYY-MM-DD.
  private static func today() -> String {
    var now = time(nil)
    var fields = tm()
    localtime_r(&now, &fields)
    var text = [CChar](repeating: 0, count: 16)
    let count = strftime(&text, text.count, "%Y-%m-%d", &fields)
    return String(decoding: text[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

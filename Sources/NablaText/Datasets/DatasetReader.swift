import NablaFormats

/// Reads the examples of JSONL files one by one: one JSON object per line, gzip-compressed or not. Blank lines are
/// skipped.
///
/// ```swift
/// var reader = DatasetReader(["pairs.jsonl.gz"])
/// while let example = try reader.next() { … }
/// ```
public struct DatasetReader: ~Copyable {
  private var files: ArraySlice<String>
  private var lines: LineReader?
  private var place = DatasetPlace(file: "", line: 0)
  private var rows = RowReader()
  private var hasRow = false

  public init(_ files: [String]) { self.files = files[...] }

  /// The next example; nil after the last of the last file.
  ///
  /// - Throws: ``DatasetError``, `GzipError`, `LineError` or `FileError`, each naming the file.
  public mutating func next() throws -> DatasetExample? {
    while true {
      while let line = try lines?.next() {
        place.line += 1
        if line.allSatisfy({ $0 == 0x20 || $0 == 9 || $0 == 13 }) { continue }
        hasRow = true
        return try rows.example(try Self.row(line, place), place: place)
      }
      if !place.file.isEmpty, !hasRow {
        throw DatasetError(file: place.file, problem: "the file is empty: it has no rows")
      }
      guard let file = files.popFirst() else { return nil }
      lines = try LineReader(path: file)
      place = DatasetPlace(file: file, line: 0)
      hasRow = false
    }
  }

  private static func row(_ line: ArraySlice<UInt8>, _ place: DatasetPlace) throws(DatasetError) -> JSONObject {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue(parsing: Array(line))
    } catch {
      let isArray = place.line == 1 && line.first == UInt8(ascii: "[")
      let hint = isArray ? "; a dataset has one JSON object per line (JSONL), not one array" : ""
      throw DatasetError(place, problem: "invalid JSON at byte \(error.offset) of the line: \(error.problem)\(hint)")
    }
    guard let object = value.object else {
      throw DatasetError(place, problem: "expected a JSON object with the columns of one example")
    }
    return object
  }
}

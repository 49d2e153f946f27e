import Glibc
import NablaFormats
import NablaTensor

/// Numbers from a CSV file: points, or any table of numbers. A header line of names is skipped.
public struct PointFile: Sendable {
  /// The names of the columns, if there is a header line.
  public let names: [String]?
  /// [rows, columns].
  public let points: Tensor

  /// - Throws: `FileError` or ``DataError`` naming file and line: a field that is not a finite number, rows of
  ///   different lengths, no rows.
  public init(path: String) throws {
    let text = try MappedFile(path: path).withBytes { bytes -> String in
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw DataError(file: path, problem: "not a text file in UTF-8")
      }
      return text
    }
    try self.init(parsing: text, file: path)
  }

  /// Numbers of a text; `file` names it in errors.
  public init(parsing text: String, file: String) throws(DataError) {
    var (names, numbers, columns, rows): ([String]?, [Float], Int, Int) = (nil, [], 0, 0)
    for (i, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let fields = line.split(separator: ",", omittingEmptySubsequences: false).map(trimmed)
      if fields.count == 1 && fields[0].isEmpty { continue }
      let values = fields.map { Float($0) }
      if rows == 0, names == nil, values.allSatisfy({ $0 == nil }) {
        (names, columns) = (fields.map(String.init), fields.count)
        continue
      }
      if columns == 0 { columns = fields.count }
      guard fields.count == columns else {
        throw DataError(file: file, line: i + 1, problem: "\(fields.count) fields, but other lines have \(columns)")
      }
      for (field, value) in zip(fields, values) {
        guard let value, value.isFinite else {
          throw DataError(file: file, line: i + 1, problem: "\"\(field.prefix(40))\" is not a finite number")
        }
        numbers.append(value)
      }
      rows += 1
    }
    guard rows > 0 else { throw DataError(file: file, problem: "no rows of numbers") }
    self.names = names
    points = Tensor(numbers, [rows, columns])
  }
}

private func trimmed(_ field: Substring) -> Substring {
  var field = field.drop { $0 == " " || $0 == "\t" || $0 == "\u{FEFF}" }
  while let last = field.last, last == " " || last == "\t" { field.removeLast() }
  if field.count >= 2, field.first == "\"", field.last == "\"" { field = field.dropFirst().dropLast() }
  return field
}

/// Data that cannot be used. The description names the file and, if there is one, the line.
public struct DataError: Error, Equatable, CustomStringConvertible {
  public var file: String
  public var line: Int?
  public var problem: String

  public init(file: String, line: Int? = nil, problem: String) {
    (self.file, self.line, self.problem) = (file, line, problem)
  }

  public var description: String { "\(file)\(line.map { ":\($0)" } ?? ""): \(problem)" }
}

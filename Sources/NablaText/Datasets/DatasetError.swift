/// The location of an example: a file and a line, counted from 1.
public struct DatasetPlace: Sendable, Hashable, CustomStringConvertible {
  public var file: String
  public var line: Int

  public init(file: String, line: Int) { (self.file, self.line) = (file, line) }

  public var description: String { "\(file), line \(line)" }
}

/// An error in a dataset. The message names the file, the line and the column.
public struct DatasetError: Error, Equatable, CustomStringConvertible {
  public var file: String
  /// Nil when it concerns the whole file.
  public var line: Int?
  public var column: String?
  public var problem: String

  public init(file: String, line: Int? = nil, column: String? = nil, problem: String) {
    (self.file, self.line, self.column, self.problem) = (file, line, column, problem)
  }

  public init(_ place: DatasetPlace, column: String? = nil, problem: String) {
    self.init(file: place.file, line: place.line, column: column, problem: problem)
  }

  public var description: String {
    "\(file)\(line.map { ", line \($0)" } ?? "")\(column.map { ", column \"\($0)\"" } ?? ""): \(problem)"
  }
}

/// Reads a text file line by line, decompressed if it is gzip data. Only one line and a buffer are in memory.
///
/// ```swift
/// var lines = try LineReader(path: "pairs.jsonl.gz")
/// while let line = try lines.next() { print(lines.number, line.count) }
/// ```
///
/// Lines end with a line feed, or a carriage return and a line feed; the last may lack it. A byte order mark of UTF-8
/// at the beginning of the file is skipped.
public struct LineReader: ~Copyable {
  /// The number of the line that ``next()`` returned last, from 1.
  public private(set) var number = 0
  public let maximumLength: Int
  private var reader: GzipReader
  private var rest: ArraySlice<UInt8> = []
  private var isAtEnd = false

  /// - Parameters:
  ///   - path: A file, which may be compressed by gzip.
  ///   - maximumLength: A longer line is an error; a hostile file could otherwise be one endless line.
  /// - Throws: ``FileError``.
  public init(path: String, maximumLength: Int = 1 << 28) throws(FileError) {
    reader = try GzipReader(path: path)
    self.maximumLength = maximumLength
  }

  public var path: String { reader.path }

  /// The bytes of the next line without its end; nil after the last.
  ///
  /// - Throws: ``GzipError``, or ``LineError`` for a line that is too long.
  public mutating func next() throws -> ArraySlice<UInt8>? {
    var searched = 0
    while true {
      if let end = rest[(rest.startIndex + searched)...].firstIndex(of: UInt8(ascii: "\n")) {
        let line = rest[..<end]
        rest = rest[(end + 1)...]
        return try finished(line)
      }
      searched = rest.count
      if searched > maximumLength { throw LineError(path: path, line: number + 1, limit: maximumLength) }
      guard !isAtEnd, let part = try reader.read() else {
        isAtEnd = true
        let line = rest
        rest = []
        return line.isEmpty ? nil : try finished(line)
      }
      let isFirst = number == 0 && rest.isEmpty
      rest = isFirst ? TextBytes.withoutMark(part) : ArraySlice(rest + part)
    }
  }

  private mutating func finished(_ line: ArraySlice<UInt8>) throws(LineError) -> ArraySlice<UInt8> {
    number += 1
    if line.count > maximumLength { throw LineError(path: path, line: number, limit: maximumLength) }
    return line.last == UInt8(ascii: "\r") ? line.dropLast() : line
  }
}

/// A line of a text file exceeds the limit.
public struct LineError: Error, Equatable, CustomStringConvertible {
  public var path: String
  public var line: Int
  public var limit: Int

  public var description: String {
    "\(path), line \(line): longer than \(limit) bytes; is this a text file with lines?"
  }
}

/// What is wrong with a JSON text, and where.
public struct JSONError: Error, Equatable, CustomStringConvertible {
  /// Distance from the start of the text, in bytes.
  public var offset: Int
  public var problem: String
  /// The file the text came from, when it came from one.
  public var file: String?

  public var description: String { "\(file.map { "\($0): " } ?? "")invalid JSON at byte \(offset): \(problem)" }
}

extension JSONValue {
  /// The deepest nesting of arrays and objects the parser accepts.
  public static let maximumDepth = 128

  /// The most values (elements, members and the text itself) the parser accepts.
  public static let maximumCount = 8_000_000

  /// Parses one JSON text strictly (RFC 8259): no comments, no trailing commas, no duplicate keys, no lone surrogates,
  /// valid UTF-8, numbers within the range of `Double`, nesting up to ``maximumDepth``, up to ``maximumCount`` values.
  /// Time is linear in the length.
  public init(parsing bytes: [UInt8]) throws(JSONError) {
    self = try bytes.withUnsafeBufferPointer { (bytes) throws(JSONError) in try Self(parsing: bytes) }
  }

  public init(parsing text: String) throws(JSONError) { try self.init(parsing: Array(text.utf8)) }

  private init(parsing bytes: UnsafeBufferPointer<UInt8>) throws(JSONError) {
    var reader = JSONReader(bytes)
    self = try reader.readText { (reader) throws(JSONError) in try reader.readValue() }
  }

  /// Reads and parses a file. Throws ``FileError`` or a ``JSONError`` that names the file.
  public init(contentsOfFile path: String) throws {
    self = try JSONReader.read(path) { (reader) throws(JSONError) in try reader.readValue() }
  }
}

extension JSONReader {
  /// Reads the value in a file with `read`; a leading byte order mark, which editors on Windows write, is skipped.
  /// Throws ``FileError`` or a ``JSONError`` that names the file.
  package static func read<Value>(
    _ path: String, _ read: (inout JSONReader) throws(JSONError) -> Value
  ) throws -> Value {
    try MappedFile(path: path).withBytes { bytes in
      let text = TextBytes.withoutMark(bytes)
      var reader = JSONReader(UnsafeRawBufferPointer(rebasing: text).bindMemory(to: UInt8.self))
      do throws(JSONError) {
        return try reader.readText(read)
      } catch {
        throw JSONError(offset: text.startIndex + error.offset, problem: error.problem, file: path)
      }
    }
  }
}

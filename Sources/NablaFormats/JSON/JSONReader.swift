/// Reads a JSON text (RFC 8259) from the front, value by value, without building a tree: the caller decides
/// where values go. ``JSONValue`` is the tree; large files have parts that are better stored in flat arrays.
///
/// ```swift
/// try reader.beginArray()
/// while try reader.hasElement() { names.append(try reader.readString()) }
/// ```
///
/// Strict, as ``JSONValue/init(parsing:)-(String)`` says. Every method leaves the position after the value it read.
package struct JSONReader {
  /// Valid as long as the reader is used.
  let bytes: UnsafeBufferPointer<UInt8>
  package internal(set) var position = 0
  private var depth = 0
  /// How many more values the trees may have.
  private var remainingValues: Int
  /// Whether nothing has been read yet from the array or object just begun.
  private var isAtFirst = false

  /// - Parameter maximumValues: The most values in the trees that ``readValue()`` makes, so that the memory they take is
  ///   bounded: a tree takes up to 20 times the bytes of its text.
  package init(_ bytes: UnsafeBufferPointer<UInt8>, maximumValues: Int = JSONValue.maximumCount) {
    self.bytes = bytes
    remainingValues = maximumValues
  }

  /// The length of the text in bytes.
  package var count: Int { bytes.count }

  var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  package func failure(_ problem: String, at offset: Int? = nil) -> JSONError {
    JSONError(offset: offset ?? position, problem: problem)
  }

  /// What a value that begins here would be; its first byte decides.
  package enum Kind { case object, array, string, other }

  @inline(__always)
  package var nextKind: Kind {
    switch next {
    case UInt8(ascii: "{"): .object
    case UInt8(ascii: "["): .array
    case UInt8(ascii: "\""): .string
    default: .other
    }
  }

  /// Reads the one value of the text, and the whitespace around it.
  package mutating func readText<Value>(
    _ read: (inout JSONReader) throws(JSONError) -> Value
  ) throws(JSONError) -> Value {
    skipWhitespace()
    let value = try read(&self)
    skipWhitespace()
    if position < bytes.count { throw failure("there is more after the value") }
    return value
  }

  @inline(__always)
  private mutating func skipWhitespace() {
    while position < bytes.count {
      let byte = bytes[position]
      guard byte <= 0x20, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
      position &+= 1
      // Indented files are mostly spaces.
      while position &+ 8 <= bytes.count {
        let spaces = (eightBytes(at: position) ^ 0x2020_2020_2020_2020).trailingZeroBitCount / 8
        position &+= spaces
        if spaces < 8 { break }
      }
    }
  }

  @inline(__always)
  func eightBytes(at place: Int) -> UInt64 {
    UnsafeRawPointer(bytes.baseAddress! + place).loadUnaligned(as: UInt64.self)
  }

  // MARK: Arrays and objects

  package mutating func beginArray() throws(JSONError) { try begin(with: UInt8(ascii: "["), "an array") }

  package mutating func beginObject() throws(JSONError) { try begin(with: UInt8(ascii: "{"), "an object") }

  private mutating func begin(with open: UInt8, _ name: String) throws(JSONError) {
    guard next == open else { throw failure("expected \(name), found \(found)") }
    position += 1
    depth += 1
    if depth > JSONValue.maximumDepth { throw failure("nested deeper than \(JSONValue.maximumDepth) levels") }
    isAtFirst = true
  }

  /// Whether the array has one more element, which then is next; at its end, false once.
  package mutating func hasElement() throws(JSONError) -> Bool { try continues(until: UInt8(ascii: "]")) }

  /// Whether the object has one more member, whose key then is next; at its end, false once.
  package mutating func hasMember() throws(JSONError) -> Bool {
    guard try continues(until: UInt8(ascii: "}")) else { return false }
    if next != UInt8(ascii: "\"") { throw failure("expected a key in quotes") }
    return true
  }

  @inline(__always)
  private mutating func continues(until close: UInt8) throws(JSONError) -> Bool {
    skipWhitespace()
    if next == close {
      position += 1
      depth -= 1
      isAtFirst = false
      return false
    }
    if !isAtFirst {
      guard next == UInt8(ascii: ",") else {
        throw failure("expected ',' or '\(Character(Unicode.Scalar(close)))'")
      }
      position += 1
      skipWhitespace()
    }
    isAtFirst = false
    return true
  }

  /// Reads the colon between a key and its value.
  package mutating func readColon() throws(JSONError) {
    skipWhitespace()
    if next != UInt8(ascii: ":") { throw failure("expected ':'") }
    position += 1
    skipWhitespace()
  }

  // MARK: Values

  /// Reads any value as a tree.
  package mutating func readValue() throws(JSONError) -> JSONValue {
    remainingValues -= 1
    if remainingValues < 0 { throw failure("there are too many values") }
    switch next {
    case nil: throw failure("the text ends where a value is expected")
    case UInt8(ascii: "{"): return .object(try readObject { (_, reader) throws(JSONError) in try reader.readValue() })
    case UInt8(ascii: "["):
      try beginArray()
      var elements: [JSONValue] = []
      while try hasElement() { elements.append(try readValue()) }
      return .array(elements)
    case UInt8(ascii: "\""):
      return .string(try readString())
    case let byte? where byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte):
      return try readNumber()
    case _ where take("true"): return .bool(true)
    case _ where take("false"): return .bool(false)
    case _ where take("null"): return .null
    default:
      throw failure("expected a value (an object, array, string, number, true, false or null), found \(found)")
    }
  }

  /// Reads an object whose values `read` reads. A key that occurs twice is an error.
  package mutating func readObject(
    _ read: (_ key: String, _ reader: inout JSONReader) throws(JSONError) -> JSONValue
  ) throws(JSONError) -> JSONObject {
    try beginObject()
    var object = JSONObject()
    while try hasMember() {
      let start = position
      let key = try readKey()
      if !object.append(key, try read(key, &self)) {
        throw failure("the key \"\(key)\" occurs twice in one object", at: start)
      }
    }
    return object
  }

  private mutating func take(_ word: StaticString) -> Bool {
    let end = position + word.utf8CodeUnitCount
    let matches = end <= bytes.count && word.withUTF8Buffer { bytes[position..<end].elementsEqual($0) }
    if matches { position = end }
    return matches
  }

  /// The beginning of the text here, for errors.
  private var found: String {
    let shown = 12
    let line = bytes[position...].prefix { $0 != UInt8(ascii: "\n") }
    return String(reflecting: String(decoding: line.prefix(shown), as: UTF8.self)) + (line.count > shown ? "…" : "")
  }
}

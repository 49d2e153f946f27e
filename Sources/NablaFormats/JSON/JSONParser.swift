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

  /// Parses one JSON text strictly (RFC 8259): no comments, no trailing commas, no duplicate keys, no lone surrogates,
  /// valid UTF-8, numbers within the range of `Double`, nesting up to ``maximumDepth``. Time is linear in the length.
  public init(parsing bytes: [UInt8]) throws(JSONError) {
    var parser = JSONParser(bytes: bytes)
    self = try parser.parseText()
  }

  public init(parsing text: String) throws(JSONError) { try self.init(parsing: Array(text.utf8)) }

  /// Reads and parses a file. Throws ``FileError`` or a ``JSONError`` that names the file.
  public init(contentsOfFile path: String) throws {
    let bytes = try MappedFile(path: path).withBytes { Array($0) }
    do {
      try self.init(parsing: bytes)
    } catch {
      throw JSONError(offset: error.offset, problem: error.problem, file: path)
    }
  }
}

/// A recursive-descent parser over bytes; each method leaves `position` after what it read.
struct JSONParser {
  let bytes: [UInt8]
  var position = 0
  private var depth = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private func failure(_ problem: String, at offset: Int? = nil) -> JSONError {
    JSONError(offset: offset ?? position, problem: problem)
  }

  mutating func parseText() throws(JSONError) -> JSONValue {
    skipWhitespace()
    let value = try parseValue()
    skipWhitespace()
    if position < bytes.count { throw failure("there is more after the value") }
    return value
  }

  private mutating func skipWhitespace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func parseValue() throws(JSONError) -> JSONValue {
    guard let first = next else { throw failure("the text ends where a value should stand") }
    switch first {
    case UInt8(ascii: "{"): return .object(try parseObject())
    case UInt8(ascii: "["): return .array(try parseArray())
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
    case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
    case UInt8(ascii: "n"): return try parseWord("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
    default: throw failure("expected a value")
    }
  }

  private mutating func parseWord(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
    let end = position + word.utf8CodeUnitCount
    let matches = end <= bytes.count && word.withUTF8Buffer { bytes[position..<end].elementsEqual($0) }
    if !matches { throw failure("expected \(word)") }
    position = end
    return value
  }

  private mutating func enter() throws(JSONError) {
    position += 1
    depth += 1
    if depth > JSONValue.maximumDepth { throw failure("nested deeper than \(JSONValue.maximumDepth) levels") }
    skipWhitespace()
  }

  /// After an element: true to go on after a comma, false when `close` ended the list.
  private mutating func continues(until close: UInt8) throws(JSONError) -> Bool {
    skipWhitespace()
    guard next == UInt8(ascii: ",") || next == close else {
      throw failure("expected ',' or '\(Character(Unicode.Scalar(close)))'")
    }
    let more = next == UInt8(ascii: ",")
    position += 1
    if more { skipWhitespace() } else { depth -= 1 }
    return more
  }

  private mutating func parseArray() throws(JSONError) -> [JSONValue] {
    try enter()
    var elements: [JSONValue] = []
    if next == UInt8(ascii: "]") {
      position += 1
      depth -= 1
      return elements
    }
    repeat {
      elements.append(try parseValue())
    } while try continues(until: UInt8(ascii: "]"))
    return elements
  }

  private mutating func parseObject() throws(JSONError) -> JSONObject {
    try enter()
    var object = JSONObject()
    if next == UInt8(ascii: "}") {
      position += 1
      depth -= 1
      return object
    }
    repeat {
      let start = position
      if next != UInt8(ascii: "\"") { throw failure("expected a key in quotes") }
      let key = try parseString()
      skipWhitespace()
      if next != UInt8(ascii: ":") { throw failure("expected ':'") }
      position += 1
      skipWhitespace()
      let value = try parseValue()
      if !object.append(key, value) { throw failure("the key \"\(key)\" occurs twice in one object", at: start) }
    } while try continues(until: UInt8(ascii: "}"))
    return object
  }

  private mutating func parseNumber() throws(JSONError) -> JSONValue {
    let start = position
    if next == UInt8(ascii: "-") { position += 1 }
    let firstDigit = position
    try skipDigits()
    if bytes[firstDigit] == UInt8(ascii: "0"), position > firstDigit + 1 {
      throw failure("a number may not start with 0", at: start)
    }
    var isInteger = true
    if next == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      try skipDigits()
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      isInteger = false
      position += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      try skipDigits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let value = Int(text), !(value == 0 && text.hasPrefix("-")) { return .integer(value) }
    guard let value = Double(text), value.isFinite else { throw failure("the number is out of range", at: start) }
    return .number(value)
  }

  private mutating func skipDigits() throws(JSONError) {
    let start = position
    while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
    if position == start { throw failure("expected a digit") }
  }
}

extension JSONParser {
  /// Reads a string from its opening to its closing quote.
  private mutating func parseString() throws(JSONError) -> String {
    let start = position
    position += 1
    var text = try parsePlainRun()
    while true {
      switch next {
      case UInt8(ascii: "\""):
        position += 1
        return text
      case UInt8(ascii: "\\"):
        text.unicodeScalars.append(try parseEscape())
        text += try parsePlainRun()
      case nil:
        throw failure("the string is not closed", at: start)
      default:
        throw failure("a control character in a string must be escaped")
      }
    }
  }

  /// The characters up to the next quote, backslash, control character or the end.
  private mutating func parsePlainRun() throws(JSONError) -> String {
    let start = position
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
    guard let run = String(validating: bytes[start..<position], as: UTF8.self) else {
      throw failure("the string is not valid UTF-8", at: start)
    }
    return run
  }

  private mutating func parseEscape() throws(JSONError) -> Unicode.Scalar {
    let start = position
    position += 1
    guard let kind = next else { throw failure("the string is not closed", at: start) }
    position += 1
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(kind)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let unit = try parseFourHexDigits()
      if let scalar = Unicode.Scalar(unit) { return scalar }
      // A high surrogate needs its low half; together they name one scalar.
      if unit < 0xDC00, next == UInt8(ascii: "\\"), position + 1 < bytes.count,
        bytes[position + 1] == UInt8(ascii: "u")
      {
        position += 2
        let low = try parseFourHexDigits()
        if low >= 0xDC00, low <= 0xDFFF, let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)) {
          return scalar
        }
      }
      throw failure("half of a surrogate pair", at: start)
    default:
      throw failure("unknown escape", at: start)
    }
  }

  private mutating func parseFourHexDigits() throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = next.flatMap({ Character(Unicode.Scalar($0)).hexDigitValue }) else {
        throw failure("expected four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }
}

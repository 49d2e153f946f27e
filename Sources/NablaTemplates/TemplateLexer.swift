import NablaFormats

/// A template split into text and tags, with whitespace already trimmed as its control signs and `transformers`
/// require.
struct TemplatePiece {
  enum Kind {
    case text([UInt8])
    /// `{{ … }}`
    case output([TemplateToken])
    /// `{% … %}`
    case tag([TemplateToken])
  }

  var kind: Kind
  var line: Int
}

struct TemplateToken: Equatable {
  enum Kind: Equatable {
    case name(String)
    case string([UInt8])
    case integer(Int)
    case number(Double)
    case symbol(String)
  }

  var kind: Kind
  var line: Int
}

/// Splits a template like Jinja with `trim_blocks` and `lstrip_blocks`, the settings of `transformers`:
/// the line feed after a block tag or comment is removed, and so are the spaces before one that is first on its line. A
/// minus sign inside a tag removes all whitespace on its side; a plus sign keeps what would be removed.
struct TemplateLexer {
  private let source: [UInt8]
  private var position = 0
  private var line = 1
  /// Whether the text read so far ends a line: decides whether spaces here are indentation.
  private var isAtLineStart = true
  private var pieces: [TemplatePiece] = []

  /// Line ends of any kind become line feeds, and one at the end of the template is removed.
  init(_ text: String) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    var wasReturn = false
    for byte in text.utf8 {
      if byte == 0x0D { bytes.append(0x0A) } else if byte != 0x0A || !wasReturn { bytes.append(byte) }
      wasReturn = byte == 0x0D
    }
    if bytes.last == 0x0A { bytes.removeLast() }
    source = bytes
  }

  static func pieces(of text: String) throws(ChatTemplateError) -> [TemplatePiece] {
    var lexer = TemplateLexer(text)
    while try lexer.readPiece() {}
    return lexer.pieces
  }

  private func failure(_ problem: String) -> ChatTemplateError {
    ChatTemplateError(kind: .syntax, line: line, problem: problem)
  }

  private func byte(_ offset: Int = 0) -> UInt8 {
    position + offset < source.count ? source[position + offset] : 0
  }

  /// Advances and counts the lines passed.
  private mutating func advance(to end: Int) {
    for i in position..<end where source[i] == 0x0A { line += 1 }
    position = end
  }

  private mutating func readPiece() throws(ChatTemplateError) -> Bool {
    var start = position
    while start < source.count {
      if source[start] == UInt8(ascii: "{"), start + 1 < source.count,
        [UInt8(ascii: "{"), UInt8(ascii: "%"), UInt8(ascii: "#")].contains(source[start + 1])
      {
        break
      }
      start += 1
    }
    var text = source[position..<start]
    let textLine = line
    advance(to: start)
    if start == source.count {
      if !text.isEmpty { pieces.append(TemplatePiece(kind: .text(Array(text)), line: textLine)) }
      return false
    }
    let opening = source[start + 1]
    position += 2
    let sign = byte()
    if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { position += 1 }
    if sign == UInt8(ascii: "-") {
      text = text.prefix(UTF8Text.endWithoutWhitespace(text))
    } else if sign != UInt8(ascii: "+"), opening != UInt8(ascii: "{") {
      let lineStart = text.lastIndex(of: 0x0A).map { $0 + 1 }
      if let from = lineStart ?? (isAtLineStart ? text.startIndex : nil),
        UTF8Text.endWithoutWhitespace(text[from...]) == 0
      {
        text = text[..<from]
      }
    }
    if !text.isEmpty { pieces.append(TemplatePiece(kind: .text(Array(text)), line: textLine)) }
    let tagLine = line
    switch opening {
    case UInt8(ascii: "#"): try skipComment()
    case UInt8(ascii: "%"): pieces.append(TemplatePiece(kind: .tag(try readTokens(until: "%}")), line: tagLine))
    default: pieces.append(TemplatePiece(kind: .output(try readTokens(until: "}}")), line: tagLine))
    }
    return true
  }

  private mutating func skipComment() throws(ChatTemplateError) {
    var end = position
    while end + 1 < source.count, source[end] != UInt8(ascii: "#") || source[end + 1] != UInt8(ascii: "}") { end += 1 }
    if end + 1 >= source.count { throw failure("the comment is not closed") }
    let sign: UInt8 = end > position ? source[end - 1] : 0
    advance(to: end)
    closeTag(length: 2, sign: sign, trimsLineFeed: true)
  }

  /// Consumes the end of a tag and the whitespace trimmed with it.
  private mutating func closeTag(length: Int, sign: UInt8, trimsLineFeed: Bool) {
    var end = position + length
    if sign == UInt8(ascii: "-") {
      while end < source.count, let space = UTF8Text.whitespaceLength(source[end...]) { end += space }
    } else if sign != UInt8(ascii: "+"), trimsLineFeed, end < source.count, source[end] == 0x0A {
      end += 1
    }
    advance(to: end)
    isAtLineStart = source[end - 1] == 0x0A
  }

  private mutating func readTokens(until close: StaticString) throws(ChatTemplateError) -> [TemplateToken] {
    var tokens: [TemplateToken] = []
    var brackets: [UInt8] = []
    let first = close.utf8Start[0]
    let isBlock = first == UInt8(ascii: "%")
    while true {
      while position < source.count, let space = UTF8Text.whitespaceLength(source[position...]) {
        advance(to: position + space)
      }
      if position >= source.count { throw failure("the tag is not closed: expected \(close)") }
      // A brace that closes a dictionary is not the end of the tag.
      if brackets.isEmpty {
        if byte() == first, byte(1) == UInt8(ascii: "}") {
          closeTag(length: 2, sign: 0, trimsLineFeed: isBlock)
          return tokens
        }
        let isSign = byte() == UInt8(ascii: "-") || (isBlock && byte() == UInt8(ascii: "+"))
        if isSign, byte(1) == first, byte(2) == UInt8(ascii: "}") {
          closeTag(length: 3, sign: byte(), trimsLineFeed: isBlock)
          return tokens
        }
      }
      let token = try readToken(after: tokens.last)
      if case .symbol(let symbol) = token.kind {
        switch symbol {
        case "(": brackets.append(UInt8(ascii: ")"))
        case "[": brackets.append(UInt8(ascii: "]"))
        case "{": brackets.append(UInt8(ascii: "}"))
        case ")", "]", "}":
          if brackets.popLast() != symbol.utf8.first { throw failure("'\(symbol)' without its opening bracket") }
        default: break
        }
      }
      tokens.append(token)
    }
  }

  private static let symbols = [
    "**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",", ";",
  ]

  private mutating func readToken(after previous: TemplateToken?) throws(ChatTemplateError) -> TemplateToken {
    let start = line
    let first = byte()
    switch first {
    case UInt8(ascii: "\""), UInt8(ascii: "'"):
      return TemplateToken(kind: .string(try readString(quote: first)), line: start)
    case UInt8(ascii: "0")...UInt8(ascii: "9"):
      return TemplateToken(kind: try readNumber(mayHaveFraction: previous?.kind != .symbol(".")), line: start)
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
      var end = position
      while end < source.count, Self.isNameByte(source[end]) { end += 1 }
      defer { position = end }
      return TemplateToken(kind: .name(String(decoding: source[position..<end], as: UTF8.self)), line: start)
    default:
      for symbol in Self.symbols where source[position...].starts(with: symbol.utf8) {
        position += symbol.utf8.count
        return TemplateToken(kind: .symbol(symbol), line: start)
      }
      throw failure("unexpected character \(TemplateText.quoted(TemplateText.firstCharacter(source[position...])))")
    }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == UInt8(ascii: "_")
  }

  private mutating func readNumber(mayHaveFraction: Bool) throws(ChatTemplateError) -> TemplateToken.Kind {
    func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
    var end = position
    var isInteger = true
    while end < source.count, isDigit(source[end]) || source[end] == UInt8(ascii: "_") { end += 1 }
    if mayHaveFraction {
      if end + 1 < source.count, source[end] == UInt8(ascii: "."), isDigit(source[end + 1]) {
        isInteger = false
        end += 1
        while end < source.count, isDigit(source[end]) { end += 1 }
      }
      if end < source.count, source[end] | 0x20 == UInt8(ascii: "e") {
        var digits = end + 1
        if digits < source.count, source[digits] == UInt8(ascii: "+") || source[digits] == UInt8(ascii: "-") {
          digits += 1
        }
        if digits < source.count, isDigit(source[digits]) {
          isInteger = false
          end = digits
          while end < source.count, isDigit(source[end]) { end += 1 }
        }
      }
    }
    let text = String(decoding: source[position..<end].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
    position = end
    if isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite, !isInteger else { throw failure("the number \(text) is too large") }
    return .number(value)
  }

  /// A string with the escapes of Python.
  private mutating func readString(quote: UInt8) throws(ChatTemplateError) -> [UInt8] {
    let opening = line
    var value: [UInt8] = []
    position += 1
    while position < source.count {
      let byte = source[position]
      if byte == quote {
        position += 1
        return value
      }
      if byte == 0x0A { line += 1 }
      position += 1
      if byte == UInt8(ascii: "\\") { try readEscape(into: &value) } else { value.append(byte) }
    }
    throw ChatTemplateError(kind: .syntax, line: opening, problem: "the string is not closed")
  }

  private mutating func readEscape(into value: inout [UInt8]) throws(ChatTemplateError) {
    let kind = byte()
    position += 1
    switch kind {
    case UInt8(ascii: "n"): value.append(0x0A)
    case UInt8(ascii: "t"): value.append(0x09)
    case UInt8(ascii: "r"): value.append(0x0D)
    case UInt8(ascii: "b"): value.append(0x08)
    case UInt8(ascii: "f"): value.append(0x0C)
    case UInt8(ascii: "v"): value.append(0x0B)
    case UInt8(ascii: "a"): value.append(0x07)
    case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): value.append(kind)
    case 0x0A: line += 1
    case UInt8(ascii: "x"): try readCodePoint(digits: 2, into: &value)
    case UInt8(ascii: "u"): try readCodePoint(digits: 4, into: &value)
    case UInt8(ascii: "U"): try readCodePoint(digits: 8, into: &value)
    case UInt8(ascii: "0")...UInt8(ascii: "7"), UInt8(ascii: "N"):
      throw ChatTemplateError(
        kind: .unsupported, line: line, problem: "the escape \\\(Character(Unicode.Scalar(kind))) in a string")
    default:
      // Python keeps a backslash that begins no escape.
      value += [UInt8(ascii: "\\"), kind]
    }
  }

  private mutating func readCodePoint(digits: Int, into value: inout [UInt8]) throws(ChatTemplateError) {
    let end = position + digits
    guard end <= source.count, source[position..<end].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let code = UInt32(String(decoding: source[position..<end], as: UTF8.self), radix: 16),
      let scalar = Unicode.Scalar(code)
    else { throw failure("expected \(digits) hexadecimal digits that name a character") }
    position = end
    value.append(contentsOf: UTF8.encode(scalar)!)
  }
}

/// Comma-separated values (RFC 4180): a quoted field may contain commas, line ends and doubled quotes.
enum CSV {
  struct Row {
    var fields: [String]
    /// Its first line, counted from 1.
    var line: Int
  }

  /// The rows that are neither empty nor a comment (#). Surrounding spaces of fields are removed.
  static func rows(_ text: String, file: String) throws(PointError) -> [Row] {
    var rows: [Row] = []
    var fields: [String] = []
    var field: [UInt8] = []
    var (line, start) = (1, 1)
    var (isQuoted, wasQuoted) = (false, false)

    func endField() {
      let text = String(decoding: field, as: UTF8.self)
      fields.append(wasQuoted ? text : trimmed(text))
      field = []
      wasQuoted = false
    }
    func endRow() {
      endField()
      if fields != [""], !fields[0].hasPrefix("#") { rows.append(Row(fields: fields, line: start)) }
      fields = []
    }

    var bytes = Array(text.utf8)[...]
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }  // a byte order mark
    while let byte = bytes.popFirst() {
      switch byte {
      case UInt8(ascii: "\"") where isQuoted:
        if bytes.first == byte {
          field.append(byte)
          bytes.removeFirst()
        } else {
          isQuoted = false
        }
      case UInt8(ascii: "\"") where field.allSatisfy({ $0 == UInt8(ascii: " ") }):
        (field, isQuoted, wasQuoted) = ([], true, true)
      case UInt8(ascii: ",") where !isQuoted: endField()
      case UInt8(ascii: "\r") where !isQuoted && bytes.first == UInt8(ascii: "\n"): break
      case UInt8(ascii: "\n") where !isQuoted:
        endRow()
        line += 1
        start = line
      default:
        if byte == UInt8(ascii: "\n") { line += 1 }
        field.append(byte)
      }
    }
    if isQuoted { throw PointError(.unfinishedQuote, file: file, line: start) }
    if !field.isEmpty || !fields.isEmpty || wasQuoted { endRow() }
    return rows
  }

  private static func trimmed(_ text: String) -> String {
    var text = text[...]
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" || last == "\r" { text.removeLast() }
    return String(text)
  }
}

import NablaFormats

/// How Python's values print, and how they are written as JSON.
extension TemplateRenderer {
  /// What `str()` gives; nothing for what is undefined.
  func printed(_ value: TemplateValue) throws(ChatTemplateError) -> [UInt8] {
    switch value {
    case .undefined: return []
    case .string(let bytes), .markup(let bytes): return bytes
    default:
      var text: [UInt8] = []
      try represent(value, into: &text)
      return text
    }
  }

  /// Appends what `repr()` gives.
  private func represent(_ value: TemplateValue, into text: inout [UInt8]) throws(ChatTemplateError) {
    try spend()
    switch value {
    case .none: text += "None".utf8
    case .bool(let value): text += (value ? "True" : "False").utf8
    case .integer(let value): text += String(value).utf8
    case .number(let value): text += TemplateText.number(value).utf8
    case .string(let bytes):
      // An escaped byte is four.
      try spend(4, ofBytes: bytes.count)
      text += TemplateText.quoted(bytes).utf8
    case .list(let list) where list.kind != .view:
      text.append(UInt8(ascii: list.kind == .list ? "[" : "("))
      for (index, item) in list.items.enumerated() {
        if index > 0 { text += ", ".utf8 }
        try represent(item, into: &text)
      }
      if list.kind == .tuple, list.items.count == 1 { text.append(UInt8(ascii: ",")) }
      text.append(UInt8(ascii: list.kind == .list ? "]" : ")"))
    case .dictionary(let dictionary):
      text.append(UInt8(ascii: "{"))
      for (index, entry) in dictionary.entries.enumerated() {
        if index > 0 { text += ", ".utf8 }
        try represent(entry.key.value, into: &text)
        text += ": ".utf8
        try represent(entry.value, into: &text)
      }
      text.append(UInt8(ascii: "}"))
    default: throw failure("printing \(value.typeName)", .unsupported)
    }
  }

  /// `json.dumps(value, ensure_ascii=False)`, as `transformers` sets `tojson`.
  func json(
    _ value: TemplateValue, indent: [UInt8]?, separators: (item: [UInt8], key: [UInt8]), sortsKeys: Bool,
    escapesUnicode: Bool, into text: inout [UInt8], level: Int = 0
  ) throws(ChatTemplateError) {
    try spend()
    func newLine(_ level: Int) throws(ChatTemplateError) {
      guard let indent else { return }
      try spend(level, ofBytes: indent.count)
      text.append(0x0A)
      for _ in 0..<level { text += indent }
    }
    func separate(_ separator: [UInt8]) throws(ChatTemplateError) {
      try spend(bytes: separator.count)
      text += separator
    }
    func member(_ value: TemplateValue) throws(ChatTemplateError) {
      try json(
        value, indent: indent, separators: separators, sortsKeys: sortsKeys, escapesUnicode: escapesUnicode,
        into: &text, level: level + 1)
    }
    switch value {
    case .none: text += "null".utf8
    case .bool(let value): text += (value ? "true" : "false").utf8
    case .integer(let value): text += String(value).utf8
    case .number(let value):
      text +=
        (value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : TemplateText.number(value))
        .utf8
    case .string(let bytes), .markup(let bytes): try quoteJSON(bytes, escapesUnicode, into: &text)
    case .list(let list) where list.kind != .view:
      text.append(UInt8(ascii: "["))
      for (index, item) in list.items.enumerated() {
        if index > 0 { try separate(separators.item) }
        try newLine(level + 1)
        try member(item)
      }
      if !list.items.isEmpty { try newLine(level) }
      text.append(UInt8(ascii: "]"))
    case .dictionary(let dictionary):
      var entries = dictionary.entries
      if sortsKeys {
        // About log₂ n comparisons of each key.
        let comparisons = Int.bitWidth - entries.count.leadingZeroBitCount
        for entry in entries { try spend(comparisons, of: 1 + (entry.key.value.textBytes?.count ?? 0) / 32) }
        let names = entries.compactMap { $0.key.value.textBytes }
        guard names.count == entries.count else { throw failure("sort_keys with keys that are not text", .unsupported) }
        entries.sort { $0.key.value.textBytes!.lexicographicallyPrecedes($1.key.value.textBytes!) }
      }
      text.append(UInt8(ascii: "{"))
      for (index, entry) in entries.enumerated() {
        if index > 0 { try separate(separators.item) }
        try newLine(level + 1)
        try quoteJSON(try printed(entry.key.value), escapesUnicode, into: &text)
        try separate(separators.key)
        try member(entry.value)
      }
      if !entries.isEmpty { try newLine(level) }
      text.append(UInt8(ascii: "}"))
    default: throw failure("\(value.typeName) cannot be written as JSON")
    }
  }

  private func quoteJSON(_ bytes: [UInt8], _ escapesUnicode: Bool, into text: inout [UInt8]) throws(ChatTemplateError) {
    try spend(bytes: bytes.count)
    func escape(_ unit: UInt16) throws(ChatTemplateError) {
      try spend()
      text += ("\\u" + String(unit, radix: 16).leftPadded(to: 4)).utf8
    }
    text.append(UInt8(ascii: "\""))
    for scalar in UTF8Text.scalars(bytes) {
      switch scalar {
      case "\"": text += "\\\"".utf8
      case "\\": text += "\\\\".utf8
      case "\n": text += "\\n".utf8
      case "\r": text += "\\r".utf8
      case "\t": text += "\\t".utf8
      case "\u{8}": text += "\\b".utf8
      case "\u{C}": text += "\\f".utf8
      case _ where scalar.value < 0x20 || (escapesUnicode && scalar.value > 0x7E):
        for unit in UTF16.encode(scalar)! { try escape(unit) }
      default: text.append(contentsOf: UTF8.encode(scalar)!)
      }
    }
    text.append(UInt8(ascii: "\""))
  }
}

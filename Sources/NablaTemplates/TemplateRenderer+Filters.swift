import NablaFormats

/// Jinja's filters.
extension TemplateRenderer {
  func filter(
    _ name: String, _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    try spend(reading: value)
    func bind(_ parameters: [String], required: Int = 0) throws(ChatTemplateError) -> [TemplateValue?] {
      try arguments.bind(name, parameters, required: required, self)
    }
    func text() throws(ChatTemplateError) -> [UInt8] {
      let bytes = try printed(value)
      try spend(bytes: bytes.count)
      return bytes
    }
    switch name {
    case "trim":
      return .string(
        UTF8Text.stripped(try text(), characters: try bind(["chars"])[0]?.textBytes, left: true, right: true))
    case "upper", "lower", "title", "capitalize":
      _ = try bind([])
      return try changed(try text(), name)
    case "string":
      _ = try bind([])
      if case .markup = value { return value }
      return .string(try text())
    case "safe":
      _ = try bind([])
      return .markup(try text())
    case "length", "count":
      _ = try bind([])
      return .integer(try length(of: value))
    case "default", "d":
      let given = try bind(["default_value", "boolean"])
      if case .undefined = value { return given[0] ?? .string([]) }
      return given[1]?.isTrue == true && !value.isTrue ? given[0] ?? .string([]) : value
    case "first":
      _ = try bind([])
      return try items(of: value, "take the first of").first ?? .undefined("the first of nothing")
    case "last":
      _ = try bind([])
      if case .iterator = value { throw failure("the filter 'last' of \(value.typeName)") }
      return try items(of: value, "take the last of").last ?? .undefined("the last of nothing")
    case "list":
      _ = try bind([])
      return try list(try items(of: value, "make a list of"))
    case "reverse":
      _ = try bind([])
      if let bytes = value.textBytes { return try string(UTF8Text.encode(UTF8Text.scalars(bytes).reversed())) }
      return .iterator(TemplateIterator(try items(of: value, "reverse").reversed()))
    case "join":
      let given = try bind(["d", "attribute"])
      let path = try given[1].map(path)
      let parts = try items(of: value, "join").map { (item) throws(ChatTemplateError) in
        try printed(try path.map { (path) throws(ChatTemplateError) in try follow(path, from: item) } ?? item)
      }
      let separator = try given[0].map(printed) ?? []
      return .string(try joined(parts, separator))
    case "replace":
      let given = try bind(["old", "new", "count"], required: 2)
      return try replaced(try text(), try printed(given[0]!), try printed(given[1]!), given[2])
    case "items":
      _ = try bind([])
      if case .undefined = value { return .iterator(TemplateIterator([])) }
      guard case .dictionary(let dictionary) = value else { throw failure("the items of \(value.typeName)") }
      return .iterator(TemplateIterator(try pairs(dictionary.entries)))
    case "dictsort":
      return try sortedEntries(value, try bind(["case_sensitive", "by", "reverse"]))
    case "sort", "unique", "min", "max":
      return try ordered(name, value, arguments)
    case "sum":
      var total = TemplateValue.integer(0)
      let given = try bind(["attribute", "start"])
      if let start = given[1] { total = start }
      let path = try given[0].map(path)
      for item in try items(of: value, "sum") {
        let term = try path.map { (path) throws(ChatTemplateError) in try follow(path, from: item) } ?? item
        total = try arithmetic(total, .add, term)
      }
      return total
    case "map", "select", "reject", "selectattr", "rejectattr": return try picked(name, value, arguments)
    case "int":
      let given = try bind(["default", "base"])
      if given[1] != nil { throw failure("int() with a base", .unsupported) }
      return try integer(value) ?? given[0] ?? .integer(0)
    case "float":
      let fallback = try bind(["default"])[0] ?? .number(0)
      if let number = value.anyNumber { return .number(number) }
      guard let bytes = value.textBytes else { return fallback }
      let trimmed = UTF8Text.stripped(bytes, characters: nil, left: true, right: true)
      return Double(String(decoding: trimmed, as: UTF8.self)).map { .number($0) } ?? fallback
    case "abs":
      _ = try bind([])
      if case .number(let number) = value { return .number(abs(number)) }
      guard let number = value.wholeNumber, number != .min else { throw failure("abs() of \(value.typeName)") }
      return .integer(abs(number))
    case "indent":
      let given = try bind(["width", "first", "blank"])
      return try indented(try text(), given[0], first: given[1]?.isTrue ?? false, blank: given[2]?.isTrue ?? false)
    case "tojson":
      return try encoded(value, try bind(["ensure_ascii", "indent", "separators", "sort_keys"]))
    case "attr":
      guard let name = try bind(["name"], required: 1)[0]!.textBytes else { throw failure("attr() needs a name") }
      return try attribute(String(decoding: name, as: UTF8.self), of: value)
    default: throw failure("the filter '\(name)'", .unsupported)
    }
  }

  func length(of value: TemplateValue) throws(ChatTemplateError) -> Int {
    switch value {
    case .undefined: return 0
    case .string(let bytes), .markup(let bytes):
      try spend(bytes: bytes.count)
      return UTF8Text.length(bytes)
    case .list(let list): return list.items.count
    case .dictionary(let dictionary): return dictionary.entries.count
    case .loop(let loop): return loop.items.count
    default: throw failure("\(value.typeName) has no length")
    }
  }

  func changed(_ bytes: [UInt8], _ method: String) throws(ChatTemplateError) -> TemplateValue {
    try spend(bytes.count)
    switch method {
    case "upper": return .string(UTF8Text.uppercased(bytes))
    case "lower": return .string(UTF8Text.lowercased(bytes))
    case "capitalize":
      let scalars = UTF8Text.scalars(bytes)
      let head = scalars.first.map { Array($0.properties.titlecaseMapping.utf8) } ?? []
      return .string(head + UTF8Text.lowercased(UTF8Text.encode(scalars.dropFirst())))
    default: throw failure("the change of case '\(method)'", .unsupported)
    }
  }

  func replaced(
    _ bytes: [UInt8], _ old: [UInt8], _ new: [UInt8], _ count: TemplateValue?
  ) throws(ChatTemplateError) -> TemplateValue {
    var limit = Int.max
    if let count, case let number? = count.wholeNumber, number >= 0 { limit = number }
    let places = old.isEmpty ? UTF8Text.length(bytes) + 1 : UTF8Text.count(of: old, in: bytes)
    try spend(places)
    try spend(min(limit, places), ofBytes: new.count)
    return .string(UTF8Text.replacing(bytes, old, with: new, limit: limit))
  }

  func joined(_ parts: [[UInt8]], _ separator: [UInt8]) throws(ChatTemplateError) -> [UInt8] {
    for part in parts { try spend(bytes: part.count) }
    try spend(parts.count, ofBytes: separator.count)
    return Array(parts.joined(separator: separator))
  }

  func pairs(
    _ entries: [(key: TemplateDictionary.Key, value: TemplateValue)]
  ) throws(ChatTemplateError) -> [TemplateValue] {
    try entries.map { (entry) throws(ChatTemplateError) in try list([entry.key.value, entry.value], .tuple) }
  }

  private func integer(_ value: TemplateValue) throws(ChatTemplateError) -> TemplateValue? {
    if let number = value.wholeNumber { return .integer(number) }
    if case .number(let number) = value { return Int(exactly: number.rounded(.towardZero)).map { .integer($0) } }
    guard let bytes = value.textBytes else { return nil }
    try spend(bytes: bytes.count)
    let text = String(decoding: UTF8Text.stripped(bytes, characters: nil, left: true, right: true), as: UTF8.self)
    if let number = Int(text) { return .integer(number) }
    return Double(text).flatMap { Int(exactly: $0.rounded(.towardZero)) }.map { .integer($0) }
  }

  private func indented(
    _ bytes: [UInt8], _ width: TemplateValue?, first: Bool, blank: Bool
  ) throws(ChatTemplateError) -> TemplateValue {
    var margin = Array(repeating: UInt8(ascii: " "), count: 4)
    if let width {
      if let text = width.textBytes {
        margin = text
      } else if let count = width.wholeNumber {
        guard (0...1_000).contains(count) else { throw failure("indent() by \(count)", .limit) }
        margin = Array(repeating: UInt8(ascii: " "), count: count)
      }
    }
    let count = UTF8Text.count(of: [0x0A], in: bytes) + 1
    try spend(count)
    try spend(count, ofBytes: margin.count)
    let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    var result: [UInt8] = first ? margin : []
    for (index, line) in lines.enumerated() {
      if index > 0 {
        result.append(0x0A)
        if blank || !line.isEmpty { result += margin }
      }
      result += line
    }
    return .string(result)
  }

  private func encoded(_ value: TemplateValue, _ given: [TemplateValue?]) throws(ChatTemplateError) -> TemplateValue {
    var indent: [UInt8]?
    if let width = given[1] {
      if let text = width.textBytes { indent = text }
      if let count = width.wholeNumber {
        if count > 1_000 { throw failure("tojson(indent=\(count))", .limit) }
        indent = Array(repeating: UInt8(ascii: " "), count: max(0, count))
      }
    }
    var separators = (item: Array((indent == nil ? ", " : ",").utf8), key: Array(": ".utf8))
    if let custom = given[2], case .list(let list) = custom {
      guard list.items.count == 2, let item = list.items[0].textBytes, let key = list.items[1].textBytes else {
        throw failure("tojson(separators=…) needs two texts")
      }
      separators = (item, key)
    }
    var text: [UInt8] = []
    try json(
      value, indent: indent, separators: separators, sortsKeys: given[3]?.isTrue ?? false,
      escapesUnicode: given[0]?.isTrue ?? false, into: &text)
    return .string(text)
  }
}

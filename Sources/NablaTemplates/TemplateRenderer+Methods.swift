import NablaFormats

/// The methods of Python's text, mappings and lists that templates call.
extension TemplateRenderer {
  static let textMethods: Set<String> = [
    "capitalize", "casefold", "center", "count", "encode", "endswith", "expandtabs", "find", "format", "format_map",
    "index", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric",
    "isprintable", "isspace", "istitle", "isupper", "join", "ljust", "lower", "lstrip", "maketrans", "partition",
    "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip", "split",
    "splitlines", "startswith", "strip", "swapcase", "title", "translate", "upper", "zfill",
  ]
  static let dictionaryMethods: Set<String> = [
    "clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values",
  ]

  func method(
    _ name: String, of object: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    switch object {
    case .string(let bytes):
      try spend(bytes: bytes.count)
      return try textMethod(name, bytes, arguments)
    case .dictionary(let dictionary): return try dictionaryMethod(name, dictionary, arguments)
    case .list(let list): return try listMethod(name, list, arguments)
    case .loop(let loop): return try loopMethod(name, loop, arguments)
    default: throw failure("the method \(name)() of \(object.typeName)", .unsupported)
    }
  }

  private func textMethod(
    _ name: String, _ bytes: [UInt8], _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    func bind(_ parameters: [String], required: Int = 0) throws(ChatTemplateError) -> [TemplateValue?] {
      try arguments.bind(name, parameters, required: required, self)
    }
    func text(_ value: TemplateValue?) throws(ChatTemplateError) -> [UInt8]? {
      switch value {
      case nil, .some(.none): return nil
      case .some(let value):
        guard let bytes = value.textBytes else { throw failure("\(name)() needs text, not \(value.typeName)") }
        return bytes
      }
    }
    switch name {
    case "strip", "lstrip", "rstrip":
      let characters = try text(try bind(["chars"])[0])
      if characters != nil { try spend(bytes.count / 8) }
      return .string(
        UTF8Text.stripped(bytes, characters: characters, left: name != "rstrip", right: name != "lstrip"))
    case "upper", "lower", "title", "capitalize":
      _ = try bind([])
      return try changed(bytes, name)
    case "startswith", "endswith":
      let parts = try alternatives(try bind(["prefix"], required: 1)[0]!, name)
      return .bool(
        parts.contains { part in
          name == "startswith" ? bytes.starts(with: part) : bytes.reversed().starts(with: part.reversed())
        })
    case "removeprefix", "removesuffix":
      let part = try text(try bind(["part"], required: 1)[0]!) ?? []
      if name == "removeprefix" {
        return .string(bytes.starts(with: part) ? Array(bytes.dropFirst(part.count)) : bytes)
      }
      return .string(bytes.reversed().starts(with: part.reversed()) ? Array(bytes.dropLast(part.count)) : bytes)
    case "split", "rsplit":
      let given = try bind(["sep", "maxsplit"])
      var limit = Int.max
      if let count = given[1]?.wholeNumber, count >= 0 { limit = count }
      guard let separator = try text(given[0]) else {
        if name == "rsplit", limit != .max { throw failure("rsplit() of words with a limit", .unsupported) }
        try spend(bytes.count / 2)
        return try list(UTF8Text.words(bytes, limit: limit).map { .string($0) })
      }
      if separator.isEmpty { throw failure("split() needs a separator that is not empty") }
      try spend(UTF8Text.count(of: separator, in: bytes))
      if name == "rsplit" {
        let parts = UTF8Text.split(Array(bytes.reversed()), by: separator.reversed(), limit: limit)
        return try list(parts.reversed().map { .string($0.reversed()) })
      }
      return try list(UTF8Text.split(bytes, by: separator, limit: limit).map { .string($0) })
    case "splitlines":
      _ = try bind([])
      try spend(UTF8Text.count(of: [0x0A], in: bytes))
      var lines = UTF8Text.replacing(bytes, [0x0D, 0x0A], with: [0x0A])
        .split(separator: 0x0A, omittingEmptySubsequences: false).map { TemplateValue.string(Array($0)) }
      if bytes.contains(where: { $0 == 0x0D || $0 == 0x0B || $0 == 0x0C || ($0 >= 0x1C && $0 < 0x1F) || $0 >= 0x80 }),
        UTF8Text.scalars(bytes).contains(where: {
          "\r\u{B}\u{C}\u{1C}\u{1D}\u{1E}\u{85}\u{2028}\u{2029}".unicodeScalars.contains($0)
        })
      {
        throw failure("splitlines() of text with other line ends than line feeds", .unsupported)
      }
      if case .string(let last) = lines.last, last.isEmpty { lines.removeLast() }
      return try list(lines)
    case "replace":
      let given = try bind(["old", "new", "count"], required: 2)
      guard let old = try text(given[0]), let new = try text(given[1]) else {
        throw failure("replace() needs two texts")
      }
      return try replaced(bytes, old, new, given[2])
    case "find", "index", "count":
      guard let part = try text(try bind(["sub"], required: 1)[0]!), !part.isEmpty else {
        throw failure("\(name)() needs text that is not empty")
      }
      if name == "count" { return .integer(UTF8Text.count(of: part, in: bytes)) }
      guard let at = UTF8Text.firstIndex(of: part, in: bytes) else {
        if name == "index" { throw failure("index(): the text is not there") }
        return .integer(-1)
      }
      return .integer(UTF8Text.length(Array(bytes[..<at])))
    case "join":
      let parts = try items(of: try bind(["iterable"], required: 1)[0]!, "join").map {
        (item) throws(ChatTemplateError) in
        guard let part = item.textBytes else { throw failure("join() needs text, not \(item.typeName)") }
        return part
      }
      return .string(try joined(parts, bytes))
    case "isdigit", "isalpha", "isalnum", "isspace":
      _ = try bind([])
      return .bool(!bytes.isEmpty && UTF8Text.scalars(bytes).allSatisfy { Self.holds(name, $0) })
    case "format": return try formatted(bytes, arguments)
    default: throw failure("the method \(name)() of text", .unsupported)
    }
  }

  private func alternatives(_ value: TemplateValue, _ name: String) throws(ChatTemplateError) -> [[UInt8]] {
    if let bytes = value.textBytes { return [bytes] }
    guard case .list(let list) = value, list.kind == .tuple else {
      throw failure("\(name)() needs text or a tuple of texts, not \(value.typeName)")
    }
    try spend(list.items.count)
    return try list.items.map { (item) throws(ChatTemplateError) in
      try spend(reading: item)
      guard let bytes = item.textBytes else { throw failure("\(name)() needs text, not \(item.typeName)") }
      return bytes
    }
  }

  private static func holds(_ test: String, _ scalar: Unicode.Scalar) -> Bool {
    let letters: [Unicode.GeneralCategory] = [
      .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
    ]
    let isLetter = letters.contains(scalar.properties.generalCategory)
    let isDigit = [.decimal, .digit].contains(scalar.properties.numericType)
    switch test {
    case "isdigit": return isDigit
    case "isalpha": return isLetter
    case "isspace": return UTF8Text.whitespaceLength(Array(UTF8.encode(scalar)!)[...]) != nil
    default: return isLetter || scalar.properties.numericType != nil
    }
  }

  /// `'{} {0} {name}'.format(…)` without format specifications.
  private func formatted(_ bytes: [UInt8], _ arguments: TemplateArguments) throws(ChatTemplateError) -> TemplateValue {
    var result: [UInt8] = []
    var next = 0
    var i = 0
    while i < bytes.count {
      let byte = bytes[i]
      i += 1
      guard byte == UInt8(ascii: "{") || byte == UInt8(ascii: "}") else {
        result.append(byte)
        continue
      }
      if i < bytes.count, bytes[i] == byte {
        result.append(byte)
        i += 1
        continue
      }
      guard byte == UInt8(ascii: "{"), let end = bytes[i...].firstIndex(of: UInt8(ascii: "}")) else {
        throw failure("format() of a text with a single brace")
      }
      let field = String(decoding: bytes[i..<end], as: UTF8.self)
      i = end + 1
      if field.utf8.contains(where: {
        $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "!") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "[")
      }) {
        throw failure("the format {\(field)}", .unsupported)
      }
      try spend(arguments.named.count)
      let value: TemplateValue
      if let named = arguments.named.first(where: { $0.0 == field })?.1 {
        value = named
      } else {
        let index = field.isEmpty ? next : Int(field) ?? -1
        next += 1
        guard arguments.positional.indices.contains(index) else { throw failure("format() has no argument {\(field)}") }
        value = arguments.positional[index]
      }
      let text = try printed(value)
      try spend(bytes: text.count)
      result += text
    }
    return try string(result)
  }

  private func dictionaryMethod(
    _ name: String, _ dictionary: TemplateDictionary, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    if ["items", "keys", "values"].contains(name) { try spend(dictionary.entries.count) }
    switch name {
    case "get":
      let given = try arguments.bind(name, ["key", "default"], required: 1, self)
      if case .undefined = given[0]! { return given[1] ?? .none }
      if case .none = given[0]! { return given[1] ?? .none }
      return dictionary[try key(given[0]!)] ?? given[1] ?? .none
    case "items":
      _ = try arguments.bind(name, [], required: 0, self)
      return try list(try pairs(dictionary.entries), .view)
    case "keys":
      _ = try arguments.bind(name, [], required: 0, self)
      return try list(dictionary.entries.map(\.key.value), .view)
    case "values":
      _ = try arguments.bind(name, [], required: 0, self)
      return try list(dictionary.entries.map(\.value), .view)
    case "copy":
      _ = try arguments.bind(name, [], required: 0, self)
      return .dictionary(dictionary)
    default: throw failure("\(name)() of a mapping: transformers forbids changing values, and it", .unsupported)
    }
  }

  private func listMethod(
    _ name: String, _ list: TemplateList, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    guard name == "index" || name == "count" else {
      throw failure("\(name)() of a list: transformers forbids changing values, and it", .unsupported)
    }
    let value = try arguments.bind(name, ["value"], required: 1, self)[0]!
    var count = 0
    for (index, item) in list.items.enumerated() where try isEqual(item, value) {
      if name == "index" { return .integer(index) }
      count += 1
    }
    if name == "index" { throw failure("index(): the value is not in the list") }
    return .integer(count)
  }

  private func loopMethod(
    _ name: String, _ loop: TemplateLoopState, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    if !arguments.named.isEmpty { throw failure("loop.\(name)() takes no names") }
    if name == "cycle" {
      if arguments.positional.isEmpty { throw failure("loop.cycle() needs values") }
      return arguments.positional[loop.index % arguments.positional.count]
    }
    defer { loop.last = arguments.positional }
    guard let last = loop.last else { return .bool(true) }
    return .bool(!(try isEqual(.list(TemplateList(last)), .list(TemplateList(arguments.positional)))))
  }
}

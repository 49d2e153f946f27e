/// Python's operators, and how its values print.
extension TemplateRenderer {
  // MARK: Printing

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
      try spend(bytes: bytes.count)
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
      try spend(bytes: indent.count * level)
      text.append(0x0A)
      for _ in 0..<level { text += indent }
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
        if index > 0 { text += separators.item }
        try newLine(level + 1)
        try member(item)
      }
      if !list.items.isEmpty { try newLine(level) }
      text.append(UInt8(ascii: "]"))
    case .dictionary(let dictionary):
      var entries = dictionary.entries
      if sortsKeys {
        let names = entries.compactMap { $0.key.value.textBytes }
        guard names.count == entries.count else { throw failure("sort_keys with keys that are not text", .unsupported) }
        entries.sort { $0.key.value.textBytes!.lexicographicallyPrecedes($1.key.value.textBytes!) }
      }
      text.append(UInt8(ascii: "{"))
      for (index, entry) in entries.enumerated() {
        if index > 0 { text += separators.item }
        try newLine(level + 1)
        try quoteJSON(try printed(entry.key.value), escapesUnicode, into: &text)
        text += separators.key
        try member(entry.value)
      }
      if !entries.isEmpty { try newLine(level) }
      text.append(UInt8(ascii: "}"))
    default: throw failure("\(value.typeName) cannot be written as JSON")
    }
  }

  private func quoteJSON(_ bytes: [UInt8], _ escapesUnicode: Bool, into text: inout [UInt8]) throws(ChatTemplateError) {
    try spend(bytes: bytes.count)
    func escape(_ unit: UInt16) { text += ("\\u" + String(unit, radix: 16).leftPadded(to: 4)).utf8 }
    text.append(UInt8(ascii: "\""))
    for scalar in TemplateText.scalars(bytes) {
      switch scalar {
      case "\"": text += "\\\"".utf8
      case "\\": text += "\\\\".utf8
      case "\n": text += "\\n".utf8
      case "\r": text += "\\r".utf8
      case "\t": text += "\\t".utf8
      case "\u{8}": text += "\\b".utf8
      case "\u{C}": text += "\\f".utf8
      case _ where scalar.value < 0x20 || (escapesUnicode && scalar.value > 0x7E):
        for unit in UTF16.encode(scalar)! { escape(unit) }
      default: text.append(contentsOf: UTF8.encode(scalar)!)
      }
    }
    text.append(UInt8(ascii: "\""))
  }

  // MARK: Items

  /// What a loop over `value` goes through.
  func items(of value: TemplateValue, _ use: String) throws(ChatTemplateError) -> [TemplateValue] {
    switch value {
    case .undefined: return []
    case .list(let list): return list.items
    case .dictionary(let dictionary): return dictionary.entries.map(\.key.value)
    case .iterator(let iterator): return iterator.take()
    case .string(let bytes), .markup(let bytes):
      try spend(bytes.count)
      return TemplateText.scalars(bytes).map { .string(Array(UTF8.encode($0)!)) }
    default: throw failure("cannot \(use) \(value.typeName)")
    }
  }

  private static let listMethods: Set<String> = [
    "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort",
  ]

  /// `value.name`: Python looks for an attribute before an item.
  func attribute(_ name: String, of value: TemplateValue) throws(ChatTemplateError) -> TemplateValue {
    switch value {
    case .undefined(let missing): throw failure("\(missing) is undefined, so it has no '\(name)'")
    case .namespace(let namespace): return namespace.attributes[name] ?? .undefined(name)
    case .loop(let loop): return try loopAttribute(name, loop)
    case .dictionary(let dictionary):
      if Self.dictionaryMethods.contains(name) { return .function(.method(of: value, name)) }
      return dictionary[.string(Array(name.utf8))] ?? .undefined(name)
    case .string, .markup:
      return Self.textMethods.contains(name) ? .function(.method(of: value, name)) : .undefined(name)
    case .list(let list):
      let isMethod = Self.listMethods.contains(name) && list.kind == .list
      return isMethod ? .function(.method(of: value, name)) : .undefined(name)
    default: return .undefined(name)
    }
  }

  /// `value[index]`: Python looks for an item before an attribute.
  func item(_ index: TemplateValue, of value: TemplateValue) throws(ChatTemplateError) -> TemplateValue {
    let missing = TemplateValue.undefined(String(decoding: try printed(index), as: UTF8.self))
    switch value {
    case .undefined(let name): throw failure("\(name) is undefined, so it has no items")
    case .dictionary(let dictionary):
      switch index {
      case .string(let bytes):
        if let value = dictionary[.string(bytes)] { return value }
      case .integer(let number):
        return dictionary[.integer(number)] ?? missing
      default: return missing
      }
    case .list(let list):
      if let number = index.wholeNumber { return Self.element(list.items, number) ?? missing }
    case .string(let bytes), .markup(let bytes):
      if let number = index.wholeNumber {
        try spend(bytes: bytes.count)
        return Self.element(TemplateText.scalars(bytes), number).map { .string(Array(UTF8.encode($0)!)) } ?? missing
      }
    default: break
    }
    guard let name = index.textBytes else { return missing }
    return try attribute(String(decoding: name, as: UTF8.self), of: value)
  }

  private static func element<Element>(_ items: [Element], _ index: Int) -> Element? {
    let position = index < 0 ? index + items.count : index
    return items.indices.contains(position) ? items[position] : nil
  }

  func slice(_ value: TemplateValue, start: Int?, stop: Int?, step: Int?) throws(ChatTemplateError) -> TemplateValue {
    if step == 0 { throw failure("a slice needs a step that is not 0") }
    switch value {
    case .list(let list):
      return try self.list(Self.sliced(list.items, start, stop, step ?? 1), list.kind)
    case .string(let bytes):
      try spend(bytes: bytes.count)
      return try string(TemplateText.encode(Self.sliced(TemplateText.scalars(bytes), start, stop, step ?? 1)))
    case .undefined(let name): throw failure("\(name) is undefined and cannot be sliced")
    default: throw failure("\(value.typeName) cannot be sliced")
    }
  }

  private static func sliced<Element>(_ items: [Element], _ start: Int?, _ stop: Int?, _ step: Int) -> [Element] {
    let count = items.count
    func clamp(_ index: Int, _ range: ClosedRange<Int>) -> Int {
      min(max(index < 0 ? index + count : index, range.lowerBound), range.upperBound)
    }
    if step > 0 {
      let first = start.map { clamp($0, 0...count) } ?? 0
      let end = stop.map { clamp($0, 0...count) } ?? count
      return stride(from: first, to: end, by: step).map { items[$0] }
    }
    let first = start.map { clamp($0, -1...(count - 1)) } ?? count - 1
    let end = stop.map { clamp($0, -1...(count - 1)) } ?? -1
    return stride(from: first, to: end, by: step).map { items[$0] }
  }

  private func loopAttribute(_ name: String, _ loop: TemplateLoopState) throws(ChatTemplateError) -> TemplateValue {
    let (index, count) = (loop.index, loop.items.count)
    switch name {
    case "index0": return .integer(index)
    case "index": return .integer(index + 1)
    case "revindex0": return .integer(count - index - 1)
    case "revindex": return .integer(count - index)
    case "first": return .bool(index == 0)
    case "last": return .bool(index == count - 1)
    case "length": return .integer(count)
    // Only recursive loops, which are not supported, go deeper.
    case "depth": return .integer(1)
    case "depth0": return .integer(0)
    case "previtem": return index > 0 ? loop.items[index - 1] : .undefined("loop.previtem")
    case "nextitem": return index + 1 < count ? loop.items[index + 1] : .undefined("loop.nextitem")
    case "cycle", "changed": return .function(.method(of: .loop(loop), name))
    default: throw failure("loop.\(name)", .unsupported)
    }
  }

  // MARK: Operators

  func arithmetic(
    _ left: TemplateValue, _ operation: ArithmeticOperator, _ right: TemplateValue
  ) throws(ChatTemplateError) -> TemplateValue {
    if let a = left.wholeNumber, let b = right.wholeNumber { return try whole(a, operation, b) }
    if let a = left.anyNumber, let b = right.anyNumber { return try real(a, operation, b) }
    switch (operation, left, right) {
    case (.add, .string(let a), .string(let b)): return try string(a + b)
    case (.add, .list(let a), .list(let b)) where a.kind == b.kind && a.kind != .view:
      return try list(a.items + b.items, a.kind)
    case (.multiply, .string(let text), let other), (.multiply, let other, .string(let text)):
      guard let count = other.wholeNumber else { break }
      try spend(
        bytes: max(0, count).multipliedReportingOverflow(by: text.count).overflow ? .max : max(0, count) * text.count)
      return .string(Array(repeatElement(text, count: max(0, count)).joined()))
    case (.multiply, .list(let list), let other), (.multiply, let other, .list(let list)):
      guard let count = other.wholeNumber else { break }
      let total = max(0, count).multipliedReportingOverflow(by: list.items.count)
      try spend(total.overflow ? Self.maximumWork : total.partialValue)
      return try self.list(Array(repeatElement(list.items, count: max(0, count)).joined()), list.kind)
    case (.remainder, .string, _): throw failure("formatting with '%'", .unsupported)
    case (.add, .markup, _), (.add, _, .markup): throw failure("'+' with the result of the filter safe", .unsupported)
    default: break
    }
    throw failure("'\(operation.rawValue)' of \(left.typeName) and \(right.typeName)")
  }

  private func whole(_ a: Int, _ operation: ArithmeticOperator, _ b: Int) throws(ChatTemplateError) -> TemplateValue {
    func exact(_ result: (partialValue: Int, overflow: Bool)) throws(ChatTemplateError) -> TemplateValue {
      if result.overflow { throw failure("a whole number beyond 64 bits", .unsupported) }
      return .integer(result.partialValue)
    }
    switch operation {
    case .add: return try exact(a.addingReportingOverflow(b))
    case .subtract: return try exact(a.subtractingReportingOverflow(b))
    case .multiply: return try exact(a.multipliedReportingOverflow(by: b))
    case .divide: return try real(Double(a), .divide, Double(b))
    case .floorDivide, .remainder:
      if b == 0 { throw failure("division by zero") }
      let quotient = a.dividedReportingOverflow(by: b)
      if quotient.overflow { return try exact(quotient) }
      // Python rounds down; Swift rounds towards zero.
      let remainder = a % b
      let isBelow = remainder != 0 && (remainder < 0) != (b < 0)
      return .integer(
        operation == .remainder ? (isBelow ? remainder + b : remainder) : quotient.partialValue - (isBelow ? 1 : 0))
    case .power:
      if b < 0 { throw failure("'**' with a negative exponent", .unsupported) }
      if a.magnitude <= 1 { return .integer(b == 0 ? 1 : b % 2 == 0 ? a * a : a) }
      var result = 1
      for _ in 0..<min(b, 64) {
        let product = result.multipliedReportingOverflow(by: a)
        if product.overflow { return try exact(product) }
        result = product.partialValue
      }
      return .integer(result)
    }
  }

  private func real(
    _ a: Double, _ operation: ArithmeticOperator, _ b: Double
  ) throws(ChatTemplateError) -> TemplateValue {
    switch operation {
    case .add: return .number(a + b)
    case .subtract: return .number(a - b)
    case .multiply: return .number(a * b)
    case .power: throw failure("'**' of numbers with a fraction", .unsupported)
    case .divide, .floorDivide, .remainder:
      if b == 0 { throw failure("division by zero") }
      if operation == .divide { return .number(a / b) }
      let floored = (a / b).rounded(.down)
      return .number(operation == .floorDivide ? floored : a - b * floored)
    }
  }

  func compare(
    _ left: TemplateValue, _ operation: ComparisonOperator, _ right: TemplateValue
  ) throws(ChatTemplateError) -> Bool {
    switch operation {
    case .equal: return try isEqual(left, right)
    case .notEqual: return !(try isEqual(left, right))
    case .contained: return try contains(right, left)
    case .notContained: return !(try contains(right, left))
    case .less: return try isLess(left, right, "<")
    case .greater: return try isLess(right, left, ">")
    case .lessOrEqual: return try !isLess(right, left, "<=")
    case .greaterOrEqual: return try !isLess(left, right, ">=")
    }
  }

  func isEqual(_ left: TemplateValue, _ right: TemplateValue) throws(ChatTemplateError) -> Bool {
    try spend()
    if let a = left.wholeNumber, let b = right.wholeNumber { return a == b }
    if let a = left.anyNumber, let b = right.anyNumber { return a == b }
    if let a = left.textBytes, let b = right.textBytes {
      try spend(bytes: min(a.count, b.count))
      return a == b
    }
    switch (left, right) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.list(let a), .list(let b)):
      guard a.kind == b.kind, a.items.count == b.items.count else { return false }
      for (a, b) in zip(a.items, b.items) where !(try isEqual(a, b)) { return false }
      return true
    case (.dictionary(let a), .dictionary(let b)):
      guard a.entries.count == b.entries.count else { return false }
      for entry in a.entries {
        guard let other = b[entry.key], try isEqual(entry.value, other) else { return false }
      }
      return true
    case (.namespace(let a), .namespace(let b)): return a === b
    case (.loop, _), (.function, _), (.iterator, _): throw failure("comparing \(left.typeName)", .unsupported)
    default: return false
    }
  }

  func isLess(_ left: TemplateValue, _ right: TemplateValue, _ sign: String) throws(ChatTemplateError) -> Bool {
    if let a = left.wholeNumber, let b = right.wholeNumber { return a < b }
    if let a = left.anyNumber, let b = right.anyNumber {
      if a.isNaN || b.isNaN { throw failure("comparing what is not a number", .unsupported) }
      return a < b
    }
    if let a = left.textBytes, let b = right.textBytes {
      try spend(bytes: min(a.count, b.count))
      return a.lexicographicallyPrecedes(b)
    }
    throw failure("'\(sign)' of \(left.typeName) and \(right.typeName)")
  }

  private func contains(_ container: TemplateValue, _ value: TemplateValue) throws(ChatTemplateError) -> Bool {
    switch container {
    case .string(let bytes), .markup(let bytes):
      guard let part = value.textBytes else { throw failure("'in' text needs text, not \(value.typeName)") }
      try spend(bytes: bytes.count + part.count)
      return part.isEmpty || TemplateText.firstIndex(of: part, in: bytes) != nil
    case .dictionary(let dictionary):
      switch value {
      case .string(let bytes): return dictionary[.string(bytes)] != nil
      case .integer(let number): return dictionary[.integer(number)] != nil
      case .none, .bool, .number, .undefined: return false
      default: throw failure("'in' a mapping needs text, not \(value.typeName)")
      }
    case .undefined, .list, .iterator:
      for item in try items(of: container, "search") where try isEqual(item, value) { return true }
      return false
    default: throw failure("'in' needs text, a list or a mapping, not \(container.typeName)")
    }
  }
}

import NablaFormats

/// What is inside a value: items, attributes, slices.
extension TemplateRenderer {
  /// What a loop over `value` goes through.
  func items(of value: TemplateValue, _ use: String) throws(ChatTemplateError) -> [TemplateValue] {
    switch value {
    case .undefined: return []
    case .list(let list): return list.items
    case .dictionary(let dictionary):
      try spend(dictionary.entries.count)
      return dictionary.entries.map(\.key.value)
    case .iterator(let iterator): return iterator.take()
    case .string(let bytes), .markup(let bytes):
      try spend(bytes.count)
      return UTF8Text.scalars(bytes).map { .string(Array(UTF8.encode($0)!)) }
    default: throw failure("cannot \(use) \(value.typeName)")
    }
  }

  private static let listMethods: Set<String> = [
    "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort",
  ]

  /// `value.name`: Python looks for an attribute before an item.
  func attribute(_ name: String, of value: TemplateValue) throws(ChatTemplateError) -> TemplateValue {
    try spend(bytes: name.utf8.count)
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
    try spend(reading: index)
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
        return Self.element(UTF8Text.scalars(bytes), number).map { .string(Array(UTF8.encode($0)!)) } ?? missing
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
      return try string(UTF8Text.encode(Self.sliced(UTF8Text.scalars(bytes), start, stop, step ?? 1)))
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
}

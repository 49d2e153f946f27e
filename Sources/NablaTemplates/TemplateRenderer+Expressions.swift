/// Evaluating expressions.
extension TemplateRenderer {
  /// The global functions of `transformers`. What a conversation or template sets by the same name comes first.
  private static func function(_ name: String) -> TemplateFunction? {
    switch name {
    case "range": .range
    case "namespace": .namespace
    case "dict": .dictionary
    case "raise_exception": .raiseException
    case "strftime_now": .strftimeNow
    default: nil
    }
  }
  private static let unsupportedNames: Set<String> = [
    "self", "super", "varargs", "kwargs", "lipsum", "cycler", "joiner",
  ]

  func evaluate(_ expression: TemplateExpression) throws(ChatTemplateError) -> TemplateValue {
    line = expression.line
    try spend()
    return try nested { () throws(ChatTemplateError) in
      let value = try evaluate(expression.kind, line: expression.line)
      line = expression.line
      return value
    }
  }

  /// Operands may stand on other lines: `line` is set again before what can fail because of them.
  private func evaluate(_ kind: TemplateExpression.Kind, line: Int) throws(ChatTemplateError) -> TemplateValue {
    switch kind {
    case .none: return .none
    case .bool(let value): return .bool(value)
    case .integer(let value): return .integer(value)
    case .number(let value): return .number(value)
    case .string(let bytes): return .string(bytes)
    case .name(let name):
      if let value = try value(named: name) { return value }
      if let function = Self.function(name) { return .function(function) }
      if Self.unsupportedNames.contains(name) { throw failure("the name '\(name)'", .unsupported) }
      return .undefined(name)
    case .list(let items): return try list(try items.map { (item) throws(ChatTemplateError) in try evaluate(item) })
    case .tuple(let items):
      return try list(try items.map { (item) throws(ChatTemplateError) in try evaluate(item) }, .tuple)
    case .dictionary(let entries):
      var dictionary = TemplateDictionary()
      for entry in entries { dictionary.set(try key(try evaluate(entry.key)), try evaluate(entry.value)) }
      return try checked(dictionary)
    case .attribute(let object, let name):
      let object = try evaluate(object)
      self.line = line
      return try attribute(name, of: object)
    case .item(let object, let index):
      let (object, index) = (try evaluate(object), try evaluate(index))
      self.line = line
      return try item(index, of: object)
    case .slice(let object, let start, let stop, let step):
      func bound(_ expression: TemplateExpression?) throws(ChatTemplateError) -> Int? {
        guard let expression else { return nil }
        let value = try evaluate(expression)
        if case .none = value { return nil }
        guard let number = value.wholeNumber else {
          throw failure("a slice requires integers, not \(value.typeName)")
        }
        return number
      }
      return try slice(try evaluate(object), start: bound(start), stop: bound(stop), step: bound(step))
    case .call(let callee, let arguments):
      let (callee, arguments) = (try evaluate(callee), try evaluated(arguments))
      self.line = line
      return try apply(callee, arguments)
    case .filter(let value, let filter): return try filtered(try evaluate(value), [filter])
    case .test(let value, let test, let negated):
      let (value, arguments) = (try evaluate(value), try evaluated(test.arguments))
      self.line = line
      let result = try self.test(test.name, value, arguments)
      return .bool(result != negated)
    case .negative(let value):
      switch try evaluate(value) {
      case .number(let number): return .number(-number)
      case let value:
        guard let number = value.wholeNumber, number != .min else { throw failure("cannot negate \(value.typeName)") }
        return .integer(-number)
      }
    case .positive(let value):
      let value = try evaluate(value)
      if case .number = value { return value }
      guard let number = value.wholeNumber else { throw failure("'+' needs a number, not \(value.typeName)") }
      return .integer(number)
    case .not(let value): return .bool(!(try evaluate(value).isTrue))
    case .and(let left, let right):
      let value = try evaluate(left)
      return value.isTrue ? try evaluate(right) : value
    case .or(let left, let right):
      let value = try evaluate(left)
      return value.isTrue ? value : try evaluate(right)
    case .arithmetic(let left, let operation, let right):
      let (left, right) = (try evaluate(left), try evaluate(right))
      self.line = line
      return try arithmetic(left, operation, right)
    case .concatenation(let parts):
      var bytes: [UInt8] = []
      for part in parts {
        let text = try printed(try evaluate(part))
        try spend(bytes: text.count)
        bytes += text
      }
      return .string(bytes)
    case .comparison(let first, let links):
      var left = try evaluate(first)
      for link in links {
        let right = try evaluate(link.right)
        self.line = line
        if !(try compare(left, link.operation, right)) { return .bool(false) }
        left = right
      }
      return .bool(true)
    case .conditional(let value, let condition, let otherwise):
      if try evaluate(condition).isTrue { return try evaluate(value) }
      guard let otherwise else { return .undefined("an if without else") }
      return try evaluate(otherwise)
    }
  }

  /// The variable of a name, looked for from the innermost scope outwards.
  func value(named name: String) throws(ChatTemplateError) -> TemplateValue? {
    var scope: TemplateScope? = scope
    while let current = scope {
      try spend(bytes: name.utf8.count)
      if let value = current.values[name] { return value }
      scope = current.parent
    }
    return nil
  }

  func checked(_ dictionary: TemplateDictionary) throws(ChatTemplateError) -> TemplateValue {
    try spend(dictionary.entries.count)
    if dictionary.depth > Self.maximumValueDepth { throw failure("mappings are nested too deep", .limit) }
    return .dictionary(dictionary)
  }

  func key(_ value: TemplateValue) throws(ChatTemplateError) -> TemplateDictionary.Key {
    try spend(reading: value)
    switch value {
    case .string(let bytes): return .string(bytes)
    case .integer(let value): return .integer(value)
    default: throw failure("\(value.typeName) as the key of a mapping", .unsupported)
    }
  }

  func evaluated(_ arguments: [TemplateArgument]) throws(ChatTemplateError) -> TemplateArguments {
    var result = TemplateArguments()
    for argument in arguments {
      let value = try evaluate(argument.value)
      if let name = argument.name { result.named.append((name, value)) } else { result.positional.append(value) }
    }
    return result
  }

  func filtered(_ value: TemplateValue, _ filters: [TemplateFilter]) throws(ChatTemplateError) -> TemplateValue {
    var value = value
    for filter in filters {
      let arguments = try evaluated(filter.arguments)
      line = filter.line
      value = try self.filter(filter.name, value, arguments)
    }
    return value
  }
}

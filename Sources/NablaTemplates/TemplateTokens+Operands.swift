/// Operands: values with their members, calls, filters and tests.
extension TemplateTokens {
  mutating func primary() throws(ChatTemplateError) -> TemplateExpression {
    let line = self.line
    switch next {
    case .name(let name):
      switch name {
      case "true", "True": position += 1; return try node(.bool(true), line)
      case "false", "False": position += 1; return try node(.bool(false), line)
      case "none", "None": position += 1; return try node(.none, line)
      default: break
      }
      if Self.reserved.contains(name) { throw expected("a value") }
      position += 1
      return try node(.name(name), line)
    case .string(var text):
      position += 1
      // Strings side by side are one.
      while case .string(let more) = next {
        text += more
        position += 1
      }
      return try node(.string(text), line)
    case .integer(let value): position += 1; return try node(.integer(value), line)
    case .number(let value): position += 1; return try node(.number(value), line)
    case .symbol("("):
      position += 1
      if take(")") { return try node(.tuple([]), line) }
      let value = try tuple()
      try expect(")")
      return value
    case .symbol("["):
      position += 1
      var items: [TemplateExpression] = []
      while !take("]") {
        if !items.isEmpty { try expect(",") }
        if take("]") { break }
        items.append(try expression())
      }
      return try node(.list(items), line, items)
    case .symbol("{"):
      position += 1
      var entries: [(key: TemplateExpression, value: TemplateExpression)] = []
      while !take("}") {
        if !entries.isEmpty { try expect(",") }
        if take("}") { break }
        let key = try expression()
        try expect(":")
        entries.append((key, try expression()))
      }
      return try node(.dictionary(entries), line, entries.flatMap { [$0.key, $0.value] })
    default: throw expected("a value")
    }
  }

  mutating func postfix(_ start: TemplateExpression) throws(ChatTemplateError) -> TemplateExpression {
    var value = start
    while true {
      let line = self.line
      if take(".") {
        if case .integer(let index) = next {
          position += 1
          let item = try node(.integer(index), line)
          value = try node(.item(value, item), line, [value])
        } else {
          value = try node(.attribute(value, try name("the name of an attribute")), line, [value])
        }
      } else if take("[") {
        value = try subscripted(value, line)
        try expect("]")
      } else if next == .symbol("(") {
        let arguments = try arguments()
        value = try node(.call(value, arguments), line, [value] + arguments.map(\.value))
      } else {
        return value
      }
    }
  }

  /// `[index]` or `[start:stop:step]`, after the opening bracket.
  private mutating func subscripted(
    _ value: TemplateExpression, _ line: Int
  ) throws(ChatTemplateError) -> TemplateExpression {
    var bounds: [TemplateExpression?] = [nil]
    while next != .symbol("]") {
      if take(":") {
        if bounds.count == 3 { throw failure("a slice has at most three parts") }
        bounds.append(nil)
      } else {
        if bounds[bounds.count - 1] != nil { throw expected("']'") }
        bounds[bounds.count - 1] = try expression()
      }
    }
    let parts = [value] + bounds.compactMap { $0 }
    if bounds.count > 1 {
      return try node(
        .slice(value, start: bounds[0], stop: bounds[1], step: bounds.count > 2 ? bounds[2] : nil), line, parts)
    }
    guard let index = bounds[0] else { throw expected("an index") }
    return try node(.item(value, index), line, parts)
  }

  private mutating func arguments() throws(ChatTemplateError) -> [TemplateArgument] {
    try expect("(")
    var arguments: [TemplateArgument] = []
    while !take(")") {
      if !arguments.isEmpty { try expect(",") }
      if take(")") { break }
      if next == .symbol("*") || next == .symbol("**") {
        throw failure("unpacking arguments with '*'", .unsupported)
      }
      if case .name(let name) = next, position + 1 < tokens.count, tokens[position + 1].kind == .symbol("=") {
        position += 2
        arguments.append(TemplateArgument(name: name, value: try expression()))
      } else {
        if arguments.last?.name != nil { throw failure("an argument without a name follows one with a name") }
        arguments.append(TemplateArgument(name: nil, value: try expression()))
      }
    }
    return arguments
  }

  /// A value with its filters and tests.
  mutating func filtered(_ start: TemplateExpression) throws(ChatTemplateError) -> TemplateExpression {
    var value = start
    while true {
      let line = self.line
      if take("|") {
        let filter = try filter()
        value = try node(.filter(value, filter), line, [value] + filter.arguments.map(\.value))
      } else if take(name: "is") {
        let negated = take(name: "not")
        let test = try test(line)
        value = try node(.test(value, test, negated: negated), line, [value] + test.arguments.map(\.value))
      } else if next == .symbol("(") {
        let arguments = try arguments()
        value = try node(.call(value, arguments), line, [value] + arguments.map(\.value))
      } else {
        return value
      }
    }
  }

  private mutating func filter() throws(ChatTemplateError) -> TemplateFilter {
    let line = self.line
    var name = try self.name("the name of a filter")
    while take(".") { name += "." + (try self.name("the name of a filter")) }
    return TemplateFilter(name: name, arguments: next == .symbol("(") ? try arguments() : [], line: line)
  }

  private mutating func test(_ line: Int) throws(ChatTemplateError) -> TemplateFilter {
    let name = try self.name("the name of a test")
    var arguments: [TemplateArgument] = []
    switch next {
    case .symbol("("): arguments = try self.arguments()
    case .name("else"), .name("or"), .name("and"), .name("is"), .name("if"), .name("not"), .name("in"): break
    case .name, .string, .integer, .number, .symbol("["), .symbol("{"):
      // One argument may follow without brackets: `x is divisibleby 3`.
      arguments = [TemplateArgument(name: nil, value: try postfix(try primary()))]
    default: break
    }
    return TemplateFilter(name: name, arguments: arguments, line: line)
  }

  /// `| a | b(1)`, or `a | b(1)` when the first bar is left out.
  mutating func filters(startingWithName: Bool = false) throws(ChatTemplateError) -> [TemplateFilter] {
    var filters = startingWithName ? [try filter()] : []
    while take("|") { filters.append(try filter()) }
    return filters
  }
}

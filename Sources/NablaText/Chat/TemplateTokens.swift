/// The tokens of one tag, read from the left.
struct TemplateTokens {
  private let tokens: [TemplateToken]
  private var position = 0
  private let tagLine: Int
  private var depth = 0
  /// The first name of the tag.
  private(set) var opening = ""

  /// How deep expressions may nest. Chains such as `a + b + c` nest too, one level a link.
  static let maximumDepth = 200

  init(_ tokens: [TemplateToken], line: Int) {
    self.tokens = tokens
    tagLine = line
  }

  var next: TemplateToken.Kind? { position < tokens.count ? tokens[position].kind : nil }
  var isAtEnd: Bool { position == tokens.count }
  /// The line of the next token.
  var line: Int { position < tokens.count ? tokens[position].line : tokens.last?.line ?? tagLine }

  func failure(_ problem: String, _ kind: ChatTemplateError.Kind = .syntax) -> ChatTemplateError {
    ChatTemplateError(kind: kind, line: line, problem: problem)
  }

  private func expected(_ what: String) -> ChatTemplateError {
    let found =
      switch next {
      case nil: "the end of the tag"
      case .name(let name): "'\(name)'"
      case .symbol(let symbol): "'\(symbol)'"
      case .string: "a string"
      case .integer, .number: "a number"
      }
    return failure("expected \(what), found \(found)")
  }

  mutating func take(_ symbol: String) -> Bool {
    if next != .symbol(symbol) { return false }
    position += 1
    return true
  }

  mutating func take(name: String) -> Bool {
    if next != .name(name) { return false }
    position += 1
    return true
  }

  mutating func expect(_ symbol: String) throws(ChatTemplateError) {
    if !take(symbol) { throw expected("'\(symbol)'") }
  }

  mutating func expectName(_ name: String) throws(ChatTemplateError) {
    if !take(name: name) { throw expected("'\(name)'") }
  }

  func finish() throws(ChatTemplateError) {
    if !isAtEnd { throw expected("the end of the tag") }
  }

  mutating func name(_ what: String) throws(ChatTemplateError) -> String {
    guard case .name(let name) = next else { throw expected(what) }
    if position == 0 { opening = name }
    position += 1
    return name
  }

  private static let reserved: Set<String> = [
    "and", "or", "not", "in", "is", "if", "else", "elif", "for", "true", "false", "none", "True", "False", "None",
  ]

  // MARK: Targets

  mutating func target(allowsAttribute: Bool) throws(ChatTemplateError) -> TemplateTarget {
    if take("(") {
      let target = try targets()
      try expect(")")
      return target
    }
    let name = try name("a name to store into")
    if Self.reserved.contains(name) { throw failure("cannot store into '\(name)'") }
    if allowsAttribute, take(".") { return .attribute(name, try self.name("the name of an attribute")) }
    return .name(name)
  }

  /// One target, or several with commas.
  mutating func targets(allowsAttribute: Bool = false) throws(ChatTemplateError) -> TemplateTarget {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.maximumDepth { throw failure("nested too deep", .limit) }
    var targets = [try target(allowsAttribute: allowsAttribute)]
    var isTuple = false
    while take(",") {
      isTuple = true
      guard case .name(let name) = next, name != "in" else {
        if next == .symbol("(") { targets.append(try target(allowsAttribute: false)) }
        continue
      }
      targets.append(try target(allowsAttribute: false))
    }
    return isTuple ? .tuple(targets) : targets[0]
  }

  /// `(a, b=1)` of a macro.
  mutating func parameters() throws(ChatTemplateError) -> [(name: String, initial: TemplateExpression?)] {
    try expect("(")
    var parameters: [(name: String, initial: TemplateExpression?)] = []
    while !take(")") {
      if !parameters.isEmpty { try expect(",") }
      if take(")") { break }
      guard case .name(let name) = try target(allowsAttribute: false) else { throw expected("a parameter") }
      let initial = take("=") ? try expression() : nil
      if initial == nil, parameters.last?.initial != nil {
        throw failure("the parameter '\(name)' without a default follows one with a default")
      }
      parameters.append((name, initial))
    }
    return parameters
  }

  // MARK: Expressions, from the loosest to the tightest

  /// An expression, or several with commas, which make a tuple.
  mutating func tuple(allowsConditional: Bool = true) throws(ChatTemplateError) -> TemplateExpression {
    let line = self.line
    let first = allowsConditional ? try expression() : try disjunction()
    if next != .symbol(",") { return first }
    var items = [first]
    while take(",") {
      switch next {
      case nil, .symbol(")"), .symbol("="), .name("if"), .name("recursive"): break
      default:
        items.append(allowsConditional ? try expression() : try disjunction())
        continue
      }
      break
    }
    return try node(.tuple(items), line, items)
  }

  /// Makes a node one deeper than its parts.
  private func node(
    _ kind: TemplateExpression.Kind, _ line: Int, _ parts: [TemplateExpression] = []
  ) throws(ChatTemplateError) -> TemplateExpression {
    let depth = 1 + (parts.map(\.depth).max() ?? 0)
    if depth > Self.maximumDepth {
      throw ChatTemplateError(kind: .limit, line: line, problem: "the expression is nested too deep")
    }
    return TemplateExpression(line: line, depth: depth, kind: kind)
  }

  mutating func expression() throws(ChatTemplateError) -> TemplateExpression {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.maximumDepth { throw failure("the expression is nested too deep", .limit) }
    var value = try disjunction()
    while next == .name("if") {
      let line = self.line
      position += 1
      let condition = try disjunction()
      let otherwise = take(name: "else") ? try expression() : nil
      let parts = [value, condition] + (otherwise.map { [$0] } ?? [])
      value = try node(.conditional(value, if: condition, else: otherwise), line, parts)
    }
    return value
  }

  private mutating func disjunction() throws(ChatTemplateError) -> TemplateExpression {
    var left = try conjunction()
    while next == .name("or") {
      let line = self.line
      position += 1
      let right = try conjunction()
      left = try node(.or(left, right), line, [left, right])
    }
    return left
  }

  private mutating func conjunction() throws(ChatTemplateError) -> TemplateExpression {
    var left = try negation()
    while next == .name("and") {
      let line = self.line
      position += 1
      let right = try negation()
      left = try node(.and(left, right), line, [left, right])
    }
    return left
  }

  private mutating func negation() throws(ChatTemplateError) -> TemplateExpression {
    var lines: [Int] = []
    while next == .name("not") {
      lines.append(line)
      position += 1
    }
    var value = try comparison()
    for line in lines.reversed() { value = try node(.not(value), line, [value]) }
    return value
  }

  private mutating func comparison() throws(ChatTemplateError) -> TemplateExpression {
    let line = self.line
    let left = try sum()
    var links: [(operation: ComparisonOperator, right: TemplateExpression)] = []
    while let operation = takeComparison() { links.append((operation, try sum())) }
    return links.isEmpty ? left : try node(.comparison(left, links), line, [left] + links.map(\.right))
  }

  private mutating func takeComparison() -> ComparisonOperator? {
    switch next {
    case .symbol(let symbol):
      guard let operation = ComparisonOperator(rawValue: symbol) else { return nil }
      position += 1
      return operation
    case .name("in"):
      position += 1
      return .contained
    case .name("not") where position + 1 < tokens.count && tokens[position + 1].kind == .name("in"):
      position += 2
      return .notContained
    default: return nil
    }
  }

  private mutating func arithmetic(
    _ operators: [ArithmeticOperator],
    _ operand: (inout TemplateTokens) throws(ChatTemplateError) -> TemplateExpression
  ) throws(ChatTemplateError) -> TemplateExpression {
    var left = try operand(&self)
    while case .symbol(let symbol) = next, let operation = ArithmeticOperator(rawValue: symbol),
      operators.contains(operation)
    {
      let line = self.line
      position += 1
      let right = try operand(&self)
      left = try node(.arithmetic(left, operation, right), line, [left, right])
    }
    return left
  }

  private mutating func sum() throws(ChatTemplateError) -> TemplateExpression {
    try arithmetic([.add, .subtract]) { (tokens) throws(ChatTemplateError) in try tokens.concatenation() }
  }

  private mutating func concatenation() throws(ChatTemplateError) -> TemplateExpression {
    let line = self.line
    var parts = [try product()]
    while take("~") { parts.append(try product()) }
    return parts.count == 1 ? parts[0] : try node(.concatenation(parts), line, parts)
  }

  private mutating func product() throws(ChatTemplateError) -> TemplateExpression {
    try arithmetic([.multiply, .divide, .floorDivide, .remainder]) { (tokens) throws(ChatTemplateError) in
      try tokens.arithmetic([.power]) { (tokens) throws(ChatTemplateError) in try tokens.unary() }
    }
  }

  /// Filters bind tighter than any operator but looser than a sign.
  private mutating func unary(withFilters: Bool = true) throws(ChatTemplateError) -> TemplateExpression {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.maximumDepth { throw failure("the expression is nested too deep", .limit) }
    let line = self.line
    var value: TemplateExpression
    if take("-") {
      let operand = try unary(withFilters: false)
      value = try node(.negative(operand), line, [operand])
    } else if take("+") {
      let operand = try unary(withFilters: false)
      value = try node(.positive(operand), line, [operand])
    } else {
      value = try primary()
    }
    value = try postfix(value)
    return withFilters ? try filtered(value) : value
  }
}

extension TemplateTokens {
  private mutating func primary() throws(ChatTemplateError) -> TemplateExpression {
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

  private mutating func postfix(_ start: TemplateExpression) throws(ChatTemplateError) -> TemplateExpression {
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
  private mutating func filtered(_ start: TemplateExpression) throws(ChatTemplateError) -> TemplateExpression {
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

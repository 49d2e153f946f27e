/// Expressions, from the operators that bind loosest to those that bind tightest.
extension TemplateTokens {
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
  func node(
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

/// The tokens of one tag, read from the left.
struct TemplateTokens {
  let tokens: [TemplateToken]
  var position = 0
  private let tagLine: Int
  var depth = 0
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

  func expected(_ what: String) -> ChatTemplateError {
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

  static let reserved: Set<String> = [
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
}

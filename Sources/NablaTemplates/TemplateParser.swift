/// Reads the statements of a template.
///
/// The grammar is that of Jinja 3.1 with the tags that chat templates use: `if`, `for` (with `break` and `continue`),
/// `set`, `macro`, `call`, `filter`, `with`, `generation`. Any other tag is an error that names it.
struct TemplateParser {
  private let pieces: [TemplatePiece]
  private var position = 0
  private var depth = 0
  private var loopDepth = 0

  /// The nesting depth of blocks; expressions have their own bound.
  static let maximumDepth = 64

  static func statements(of text: String) throws(ChatTemplateError) -> [TemplateStatement] {
    var parser = TemplateParser(pieces: try TemplateLexer.pieces(of: text))
    let (statements, end) = try parser.body(of: nil, until: [])
    precondition(end == nil)
    return statements
  }

  private init(pieces: [TemplatePiece]) { self.pieces = pieces }

  /// The statements up to a tag whose name is in `ends`, and that tag; up to the end of the template when `opening` is
  /// nil.
  private mutating func body(
    of opening: (name: String, line: Int)?, until ends: [String]
  ) throws(ChatTemplateError) -> ([TemplateStatement], TemplateTokens?) {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.maximumDepth {
      throw ChatTemplateError(kind: .limit, line: opening?.line, problem: "blocks are nested too deep")
    }
    var statements: [TemplateStatement] = []
    while position < pieces.count {
      let piece = pieces[position]
      position += 1
      switch piece.kind {
      case .text(let bytes): statements.append(TemplateStatement(line: piece.line, kind: .text(bytes)))
      case .output(let tokens):
        var tokens = TemplateTokens(tokens, line: piece.line)
        let value = try tokens.tuple()
        try tokens.finish()
        statements.append(TemplateStatement(line: piece.line, kind: .output(value)))
      case .tag(let tokens):
        var tokens = TemplateTokens(tokens, line: piece.line)
        let name = try tokens.name("a tag")
        if ends.contains(name) { return (statements, tokens) }
        let kind = try statement(name, &tokens)
        statements.append(TemplateStatement(line: piece.line, kind: kind))
      }
    }
    if let opening {
      throw ChatTemplateError(kind: .syntax, line: opening.line, problem: "{% \(opening.name) %} is not closed")
    }
    return (statements, nil)
  }

  /// The statements up to `{% end… %}`.
  private mutating func body(
    of name: String, _ line: Int
  ) throws(ChatTemplateError) -> [TemplateStatement] {
    let (statements, end) = try body(of: (name, line), until: ["end" + name])
    try end?.finish()
    return statements
  }

  private mutating func statement(
    _ name: String, _ tokens: inout TemplateTokens
  ) throws(ChatTemplateError) -> TemplateStatement.Kind {
    let line = tokens.line
    switch name {
    case "if": return try branch(&tokens)
    case "for": return try loop(&tokens)
    case "set": return try assignment(&tokens)
    case "macro":
      let name = try tokens.name("the name of the macro")
      let parameters = try tokens.parameters()
      try tokens.finish()
      return .macro(TemplateMacro(name: name, parameters: parameters, body: try outsideLoops("macro", line)))
    case "call":
      let parameters = tokens.next == .symbol("(") ? try tokens.parameters() : []
      let call = try tokens.expression()
      try tokens.finish()
      return .call(call, TemplateMacro(name: "caller", parameters: parameters, body: try outsideLoops("call", line)))
    case "filter":
      let filters = try tokens.filters(startingWithName: true)
      try tokens.finish()
      return .filter(filters, body: try body(of: "filter", line))
    case "with":
      var assignments: [(target: TemplateTarget, value: TemplateExpression)] = []
      while !tokens.isAtEnd {
        if !assignments.isEmpty { try tokens.expect(",") }
        let target = try tokens.target(allowsAttribute: false)
        try tokens.expect("=")
        assignments.append((target, try tokens.expression()))
      }
      return .with(assignments, body: try body(of: "with", line))
    case "generation":
      try tokens.finish()
      return .generation(try outsideLoops("generation", line))
    case "break", "continue":
      try tokens.finish()
      guard loopDepth > 0 else {
        throw ChatTemplateError(kind: .syntax, line: line, problem: "{% \(name) %} outside a loop")
      }
      return name == "break" ? .leaveLoop : .nextIteration
    case "else", "elif", "endif", "endfor", "endset", "endmacro", "endcall", "endfilter", "endwith", "endgeneration":
      throw ChatTemplateError(kind: .syntax, line: line, problem: "{% \(name) %} without its beginning")
    default:
      throw ChatTemplateError(kind: .unsupported, line: line, problem: "the tag {% \(name) %}")
    }
  }

  /// A body that `break` cannot leave, because it is a function of its own.
  private mutating func outsideLoops(_ name: String, _ line: Int) throws(ChatTemplateError) -> [TemplateStatement] {
    let outer = loopDepth
    loopDepth = 0
    defer { loopDepth = outer }
    return try body(of: name, line)
  }

  private mutating func branch(_ tokens: inout TemplateTokens) throws(ChatTemplateError) -> TemplateStatement.Kind {
    let opening = (name: "if", line: tokens.line)
    var branches: [(condition: TemplateExpression, body: [TemplateStatement])] = []
    var condition = try tokens.tuple(allowsConditional: false)
    try tokens.finish()
    while true {
      var (statements, end) = try body(of: opening, until: ["elif", "else", "endif"])
      branches.append((condition, statements))
      switch end!.opening {
      case "elif":
        condition = try end!.tuple(allowsConditional: false)
        try end!.finish()
      case "else":
        try end!.finish()
        return .branch(branches, otherwise: try body(of: opening.name, opening.line))
      default:
        try end!.finish()
        return .branch(branches, otherwise: [])
      }
    }
  }

  private mutating func loop(_ tokens: inout TemplateTokens) throws(ChatTemplateError) -> TemplateStatement.Kind {
    let opening = (name: "for", line: tokens.line)
    let target = try tokens.targets()
    try tokens.expectName("in")
    let items = try tokens.tuple(allowsConditional: false)
    let condition = tokens.take(name: "if") ? try tokens.expression() : nil
    if tokens.next == .name("recursive") {
      throw ChatTemplateError(kind: .unsupported, line: opening.line, problem: "a recursive loop")
    }
    try tokens.finish()
    loopDepth += 1
    let (statements, end) = try body(of: opening, until: ["else", "endfor"])
    loopDepth -= 1
    let hasElse = end!.opening == "else"
    try end!.finish()
    return .loop(
      TemplateLoop(
        target: target, items: items, condition: condition, body: statements,
        otherwise: hasElse ? try body(of: opening.name, opening.line) : []))
  }

  private mutating func assignment(_ tokens: inout TemplateTokens) throws(ChatTemplateError) -> TemplateStatement.Kind {
    let line = tokens.line
    let target = try tokens.targets(allowsAttribute: true)
    if tokens.take("=") {
      let value = try tokens.tuple()
      try tokens.finish()
      return .assign(target, value)
    }
    let filters = try tokens.filters()
    try tokens.finish()
    return .capture(target, filters: filters, body: try body(of: "set", line))
  }
}

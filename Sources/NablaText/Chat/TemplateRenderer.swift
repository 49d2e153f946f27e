/// Runs a template on its variables.
///
/// One renderer is one rendering. The work, the depth and the output are bounded, so that a template from a stranger
/// ends in an error at worst.
final class TemplateRenderer {
  /// Steps of work: one for each part evaluated, and one for every 32 bytes or each item that an operation makes.
  static let maximumWork = 3_000_000
  /// Bodies, expressions and calls inside each other.
  static let maximumDepth = 400
  /// Lists and mappings inside each other.
  static let maximumValueDepth = 200

  private var work = 0
  private var depth = 0
  /// The line being run, for errors in parts that do not know theirs.
  var line = 0
  private var output: [UInt8] = []
  /// How many captures (macros, `{% set %}` blocks) collect the output now.
  private var captures = 0
  private(set) var generated: [Range<Int>] = []
  private var scope = TemplateScope(parent: nil)
  private var namespaces: [TemplateNamespace] = []
  private var closures: [TemplateScope] = []
  /// What `strftime_now` gives for a format.
  let time: (String) -> String

  init(variables: [String: TemplateValue], time: @escaping (String) -> String) {
    scope.values = variables
    self.time = time
  }

  /// Cycles (a namespace that holds itself, a macro in the scope it sees) would never be freed.
  deinit {
    for namespace in namespaces { namespace.attributes = [:] }
    for scope in closures { scope.values = [:] }
  }

  func render(_ statements: [TemplateStatement]) throws(ChatTemplateError) -> [UInt8] {
    // What a template sets is in a scope of its own, as in Jinja.
    scope = TemplateScope(parent: scope)
    _ = try run(statements)
    return output
  }

  func failure(_ problem: String, _ kind: ChatTemplateError.Kind = .evaluation) -> ChatTemplateError {
    ChatTemplateError(kind: kind, line: line, problem: problem)
  }

  /// Counts work, and ends a template that does too much of it.
  func spend(_ amount: Int = 1) throws(ChatTemplateError) {
    work += amount
    if work > Self.maximumWork { throw failure("the template does too much work", .limit) }
  }

  func spend(bytes: Int) throws(ChatTemplateError) { try spend(bytes / 32 + 1) }

  private func nested<Result>(
    _ body: () throws(ChatTemplateError) -> Result
  ) throws(ChatTemplateError) -> Result {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.maximumDepth { throw failure("the template nests too deep", .limit) }
    return try body()
  }

  func list(_ items: [TemplateValue], _ kind: TemplateList.Kind = .list) throws(ChatTemplateError) -> TemplateValue {
    try spend(items.count)
    let list = TemplateList(items, kind)
    if list.depth > Self.maximumValueDepth { throw failure("lists are nested too deep", .limit) }
    return .list(list)
  }

  func string(_ bytes: [UInt8]) throws(ChatTemplateError) -> TemplateValue {
    try spend(bytes: bytes.count)
    return .string(bytes)
  }

  private func write(_ bytes: [UInt8]) throws(ChatTemplateError) {
    try spend(bytes: bytes.count)
    output += bytes
  }

  // MARK: Statements

  enum Flow { case on, leaveLoop, nextIteration }

  private func run(_ statements: [TemplateStatement]) throws(ChatTemplateError) -> Flow {
    depth += 1
    defer { depth -= 1 }
    for statement in statements {
      line = statement.line
      if depth > Self.maximumDepth { throw failure("the template nests too deep", .limit) }
      try spend()
      let flow = try run(statement.kind)
      if flow != .on { return flow }
    }
    return .on
  }

  /// Runs `statements` in a scope inside the present one.
  private func runInside(
    _ statements: [TemplateStatement], prepare: (TemplateScope) throws(ChatTemplateError) -> Void = { _ in }
  ) throws(ChatTemplateError) -> Flow {
    let outer = scope
    scope = TemplateScope(parent: outer)
    defer { scope = outer }
    try prepare(scope)
    return try run(statements)
  }

  /// What `body` writes.
  private func capturing(_ body: () throws(ChatTemplateError) -> Void) throws(ChatTemplateError) -> [UInt8] {
    let outer = output
    output = []
    captures += 1
    defer {
      output = outer
      captures -= 1
    }
    try body()
    return output
  }

  private func run(_ kind: TemplateStatement.Kind) throws(ChatTemplateError) -> Flow {
    switch kind {
    case .text(let bytes): try write(bytes)
    case .output(let expression): try write(try printed(try evaluate(expression)))
    case .branch(let branches, let otherwise):
      for branch in branches where try evaluate(branch.condition).isTrue { return try run(branch.body) }
      return try run(otherwise)
    case .loop(let loop): return try run(loop)
    case .assign(let target, let expression): try assign(try evaluate(expression), to: target)
    case .capture(let target, let filters, let body):
      let text = try capturing { () throws(ChatTemplateError) in _ = try runInside(body) }
      try assign(try filtered(try string(text), filters), to: target)
    case .macro(let macro): scope.values[macro.name] = function(macro)
    case .call(let call, let block):
      guard case .call(let callee, let arguments) = call.kind else {
        line = call.line
        throw failure("{% call %} needs the call of a macro", .syntax)
      }
      let function = try evaluate(callee)
      try write(try printed(try apply(function, try evaluated(arguments), caller: self.function(block))))
    case .filter(let filters, let body):
      let text = try capturing { () throws(ChatTemplateError) in _ = try runInside(body) }
      try write(try printed(try filtered(try string(text), filters)))
    case .with(let assignments, let body):
      let values = try assignments.map { (entry) throws(ChatTemplateError) in (entry.target, try evaluate(entry.value))
      }
      return try runInside(body) { (_) throws(ChatTemplateError) in
        for (target, value) in values { try assign(value, to: target) }
      }
    case .generation(let body):
      let start = output.count
      _ = try runInside(body)
      if captures == 0 { generated.append(start..<output.count) }
    case .leaveLoop: return .leaveLoop
    case .nextIteration: return .nextIteration
    }
    return .on
  }

  private func function(_ macro: TemplateMacro) -> TemplateValue {
    closures.append(scope)
    return .function(.macro(macro, scope))
  }

  private func run(_ loop: TemplateLoop) throws(ChatTemplateError) -> Flow {
    var items = try items(of: try evaluate(loop.items), "loop over")
    try spend(items.count)
    let outer = scope
    defer { scope = outer }
    if let condition = loop.condition {
      var kept: [TemplateValue] = []
      for item in items {
        scope = TemplateScope(parent: outer)
        try assign(item, to: loop.target)
        if try evaluate(condition).isTrue { kept.append(item) }
      }
      items = kept
      scope = outer
    }
    if items.isEmpty { return try run(loop.otherwise) }
    let state = TemplateLoopState(items: items)
    for (index, item) in items.enumerated() {
      try spend()
      state.index = index
      scope = TemplateScope(parent: outer)
      scope.values["loop"] = .loop(state)
      try assign(item, to: loop.target)
      if try run(loop.body) == .leaveLoop { break }
    }
    return .on
  }

  private func assign(_ value: TemplateValue, to target: TemplateTarget) throws(ChatTemplateError) {
    switch target {
    case .name(let name): scope.values[name] = value
    case .attribute(let name, let attribute):
      guard case .namespace(let namespace) = scope.value(name) else {
        throw failure("cannot set \(name).\(attribute): \(name) is not a namespace")
      }
      namespace.attributes[attribute] = value
    case .tuple(let targets):
      let items = try items(of: value, "unpack")
      guard items.count == targets.count else {
        throw failure("cannot unpack \(items.count) values into \(targets.count) names")
      }
      for (target, item) in zip(targets, items) { try assign(item, to: target) }
    }
  }

  func newNamespace(_ attributes: [(String, TemplateValue)]) -> TemplateValue {
    let namespace = TemplateNamespace()
    for (name, value) in attributes { namespace.attributes[name] = value }
    namespaces.append(namespace)
    return .namespace(namespace)
  }

  // MARK: Expressions

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
      if let value = scope.value(name) { return value }
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
          throw failure("a slice needs whole numbers, not \(value.typeName)")
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
      for part in parts { bytes += try printed(try evaluate(part)) }
      return try string(bytes)
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

  func checked(_ dictionary: TemplateDictionary) throws(ChatTemplateError) -> TemplateValue {
    try spend(dictionary.entries.count)
    if dictionary.depth > Self.maximumValueDepth { throw failure("mappings are nested too deep", .limit) }
    return .dictionary(dictionary)
  }

  func key(_ value: TemplateValue) throws(ChatTemplateError) -> TemplateDictionary.Key {
    switch value {
    case .string(let bytes): return .string(bytes)
    case .integer(let value): return .integer(value)
    default: throw failure("\(value.typeName) as the key of a mapping", .unsupported)
    }
  }

  private func evaluated(_ arguments: [TemplateArgument]) throws(ChatTemplateError) -> TemplateArguments {
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

  // MARK: Calls

  func apply(
    _ value: TemplateValue, _ arguments: TemplateArguments, caller: TemplateValue? = nil
  ) throws(ChatTemplateError) -> TemplateValue {
    guard case .function(let function) = value else { throw failure("\(value.typeName) cannot be called") }
    if case .macro(let macro, let definition) = function {
      return try call(macro, definition, arguments, caller: caller)
    }
    guard caller == nil else { throw failure("{% call %} of what is not a macro", .unsupported) }
    switch function {
    case .range:
      let bounds = try arguments.bind("range", ["start", "stop", "step"], required: 1, self).map { $0?.wholeNumber }
      guard let first = bounds[0], arguments.positional.count == bounds.compactMap({ $0 }).count else {
        throw failure("range() needs whole numbers")
      }
      let (start, stop) = bounds[1].map { (first, $0) } ?? (0, first)
      let step = bounds[2] ?? 1
      if step == 0 { throw failure("range() needs a step that is not 0") }
      // The bound of Jinja's sandbox.
      let span = step > 0 ? stop.subtractingReportingOverflow(start) : start.subtractingReportingOverflow(stop)
      if span.overflow || span.partialValue / Int(clamping: step.magnitude) > 100_000 {
        throw failure("range() of more than 100000 numbers", .limit)
      }
      return try list(stride(from: start, to: stop, by: step).map { .integer($0) }, .view)
    case .namespace:
      var attributes: [(String, TemplateValue)] = []
      if let first = arguments.positional.first {
        guard case .dictionary(let dictionary) = first, arguments.positional.count == 1 else {
          throw failure("namespace() takes a mapping and named values")
        }
        for entry in dictionary.entries {
          guard case .string(let name) = entry.key else { throw failure("namespace() needs names") }
          attributes.append((String(decoding: name, as: UTF8.self), entry.value))
        }
      }
      return newNamespace(attributes + arguments.named)
    case .dictionary:
      var dictionary = TemplateDictionary()
      if let first = arguments.positional.first {
        guard case .dictionary(let start) = first, arguments.positional.count == 1 else {
          throw failure("dict() of anything but a mapping", .unsupported)
        }
        dictionary = start
      }
      for (name, value) in arguments.named { dictionary.set(.string(Array(name.utf8)), value) }
      return try checked(dictionary)
    case .raiseException:
      let message = try arguments.bind("raise_exception", ["message"], required: 1, self)[0]!
      throw failure(String(decoding: try printed(message), as: UTF8.self), .refused)
    case .strftimeNow:
      guard let format = try arguments.bind("strftime_now", ["format"], required: 1, self)[0]!.textBytes else {
        throw failure("strftime_now() needs a format")
      }
      return try string(Array(time(String(decoding: format, as: UTF8.self)).utf8))
    case .method(let object, let name): return try method(name, of: object, arguments)
    case .macro: preconditionFailure("handled above")
    }
  }

  private func call(
    _ macro: TemplateMacro, _ definition: TemplateScope, _ arguments: TemplateArguments, caller: TemplateValue?
  ) throws(ChatTemplateError) -> TemplateValue {
    let given = try arguments.bind(macro.name, macro.parameters.map(\.name), required: 0, self)
    let outer = scope
    scope = definition
    defer { scope = outer }
    let text = try capturing { () throws(ChatTemplateError) in
      _ = try runInside(macro.body) { (inner) throws(ChatTemplateError) in
        inner.values["caller"] = caller ?? .undefined("caller")
        for (parameter, value) in zip(macro.parameters, given) {
          if let value {
            inner.values[parameter.name] = value
          } else if let initial = parameter.initial {
            inner.values[parameter.name] = try evaluate(initial)
          } else {
            inner.values[parameter.name] = .undefined(parameter.name)
          }
        }
      }
    }
    return .string(text)
  }
}

/// The arguments of a call, evaluated.
struct TemplateArguments {
  var positional: [TemplateValue] = []
  var named: [(String, TemplateValue)] = []

  var isEmpty: Bool { positional.isEmpty && named.isEmpty }

  /// The arguments in the order of `parameters`, nil where one is not given.
  func bind(
    _ function: String, _ parameters: [String], required: Int, _ renderer: TemplateRenderer
  ) throws(ChatTemplateError) -> [TemplateValue?] {
    if positional.count > parameters.count {
      throw renderer.failure("\(function)() takes at most \(parameters.count) arguments, not \(positional.count)")
    }
    var values: [TemplateValue?] = positional + Array(repeating: nil, count: parameters.count - positional.count)
    for (name, value) in named {
      guard let index = parameters.firstIndex(of: name) else {
        throw renderer.failure("\(function)() has no argument '\(name)'")
      }
      if values[index] != nil { throw renderer.failure("\(function)() gets '\(name)' twice") }
      values[index] = value
    }
    for index in 0..<required where values[index] == nil {
      throw renderer.failure("\(function)() needs the argument '\(parameters[index])'")
    }
    return values
  }
}

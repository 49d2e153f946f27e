/// Running statements.
extension TemplateRenderer {
  enum Flow { case on, leaveLoop, nextIteration }

  func run(_ statements: [TemplateStatement]) throws(ChatTemplateError) -> Flow {
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
  func runInside(
    _ statements: [TemplateStatement], prepare: (TemplateScope) throws(ChatTemplateError) -> Void = { _ in }
  ) throws(ChatTemplateError) -> Flow {
    let outer = scope
    scope = TemplateScope(parent: outer)
    defer { scope = outer }
    try prepare(scope)
    return try run(statements)
  }

  /// What `body` writes.
  func capturing(_ body: () throws(ChatTemplateError) -> Void) throws(ChatTemplateError) -> [UInt8] {
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
    case .macro(let macro): scope.values[macro.name] = try function(macro)
    case .call(let call, let block):
      guard case .call(let callee, let arguments) = call.kind else {
        line = call.line
        throw failure("{% call %} needs the call of a macro", .syntax)
      }
      let function = try evaluate(callee)
      try write(try printed(try apply(function, try evaluated(arguments), caller: try self.function(block))))
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

  func function(_ macro: TemplateMacro) throws(ChatTemplateError) -> TemplateValue {
    try spend(Self.scopeWork)
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
      guard case .namespace(let namespace) = try self.value(named: name) else {
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
}

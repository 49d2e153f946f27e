/// Calling functions and macros.
extension TemplateRenderer {
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
        throw failure("range() requires integers")
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
          try spend(reading: entry.key.value)
          guard case .string(let name) = entry.key else { throw failure("namespace() needs names") }
          attributes.append((String(decoding: name, as: UTF8.self), entry.value))
        }
      }
      try spend(Self.scopeWork + attributes.count + arguments.named.count)
      return newNamespace(attributes + arguments.named)
    case .dictionary:
      var dictionary = TemplateDictionary()
      if let first = arguments.positional.first {
        guard case .dictionary(let start) = first, arguments.positional.count == 1 else {
          throw failure("dict() of anything but a mapping", .unsupported)
        }
        // Setting a value copies the mapping.
        try spend(start.entries.count)
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
      if format.count > 1_000 { throw failure("strftime_now() with a format of \(format.count) bytes", .limit) }
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

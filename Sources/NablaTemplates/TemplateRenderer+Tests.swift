import NablaFormats

/// Jinja's tests: what may follow `is`.
extension TemplateRenderer {
  func test(
    _ name: String, _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> Bool {
    try spend(reading: value)
    let comparison: [String: ComparisonOperator] = [
      "==": .equal, "eq": .equal, "equalto": .equal, "!=": .notEqual, "ne": .notEqual, "<": .less, "lt": .less,
      "lessthan": .less, "<=": .lessOrEqual, "le": .lessOrEqual, ">": .greater, "gt": .greater,
      "greaterthan": .greater, ">=": .greaterOrEqual, "ge": .greaterOrEqual, "in": .contained,
    ]
    if let operation = comparison[name] {
      return try compare(value, operation, try arguments.bind(name, ["other"], required: 1, self)[0]!)
    }
    if name == "divisibleby" {
      let divisor = try arguments.bind(name, ["num"], required: 1, self)[0]!
      return !(try arithmetic(value, .remainder, divisor).isTrue)
    }
    _ = try arguments.bind(name, [], required: 0, self)
    switch (name, value) {
    case ("defined", .undefined): return false
    case ("defined", _): return true
    case ("undefined", .undefined): return true
    case ("undefined", _): return false
    case ("none", .none): return true
    case ("string", .string), ("string", .markup): return true
    case ("boolean", .bool): return true
    case ("true", .bool(let value)): return value
    case ("false", .bool(let value)): return !value
    case ("integer", .integer), ("float", .number): return true
    case ("number", _): return value.anyNumber != nil
    case ("mapping", .dictionary): return true
    case ("iterable", .list), ("iterable", .dictionary), ("iterable", .string), ("iterable", .markup),
      ("iterable", .undefined), ("iterable", .iterator), ("iterable", .loop):
      return true
    case ("sequence", .dictionary), ("sequence", .string), ("sequence", .markup), ("sequence", .undefined): return true
    case ("sequence", .list(let list)): return list.kind != .view
    case ("callable", .function): return true
    case ("odd", _), ("even", _):
      guard let number = value.wholeNumber else { throw failure("the test '\(name)' of \(value.typeName)") }
      return (number % 2 == 0) == (name == "even")
    case ("lower", _), ("upper", _):
      let bytes = try printed(value)
      let scalars = UTF8Text.scalars(bytes)
      let isCased = scalars.contains { $0.properties.isLowercase || $0.properties.isUppercase }
      return isCased
        && !scalars.contains { name == "lower" ? $0.properties.isUppercase : $0.properties.isLowercase }
    case ("none", _), ("string", _), ("boolean", _), ("true", _), ("false", _), ("integer", _), ("float", _),
      ("mapping", _), ("iterable", _), ("sequence", _), ("callable", _):
      return false
    default: throw failure("the test '\(name)'", .unsupported)
    }
  }
}

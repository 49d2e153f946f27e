import NablaFormats

/// Python's operators.
extension TemplateRenderer {
  func arithmetic(
    _ left: TemplateValue, _ operation: ArithmeticOperator, _ right: TemplateValue
  ) throws(ChatTemplateError) -> TemplateValue {
    if let a = left.wholeNumber, let b = right.wholeNumber { return try whole(a, operation, b) }
    if let a = left.anyNumber, let b = right.anyNumber { return try real(a, operation, b) }
    switch (operation, left, right) {
    case (.add, .string(let a), .string(let b)):
      try spend(bytes: a.count + b.count)
      return .string(a + b)
    case (.add, .list(let a), .list(let b)) where a.kind == b.kind && a.kind != .view:
      try spend(a.items.count + b.items.count)
      return try list(a.items + b.items, a.kind)
    case (.multiply, .string(let text), let other), (.multiply, let other, .string(let text)):
      guard let count = other.wholeNumber else { break }
      if count <= 0 || text.isEmpty { return .string([]) }
      try spend(count, ofBytes: text.count)
      return .string(Array(repeatElement(text, count: count).joined()))
    case (.multiply, .list(let list), let other), (.multiply, let other, .list(let list)):
      guard let count = other.wholeNumber else { break }
      if count <= 0 || list.items.isEmpty { return try self.list([], list.kind) }
      try spend(count, of: list.items.count)
      return try self.list(Array(repeatElement(list.items, count: count).joined()), list.kind)
    case (.remainder, .string, _): throw failure("formatting with '%'", .unsupported)
    case (.add, .markup, _), (.add, _, .markup): throw failure("'+' with the result of the filter safe", .unsupported)
    default: break
    }
    throw failure("'\(operation.rawValue)' of \(left.typeName) and \(right.typeName)")
  }

  private func whole(_ a: Int, _ operation: ArithmeticOperator, _ b: Int) throws(ChatTemplateError) -> TemplateValue {
    func exact(_ result: (partialValue: Int, overflow: Bool)) throws(ChatTemplateError) -> TemplateValue {
      if result.overflow { throw failure("an integer beyond 64 bits", .unsupported) }
      return .integer(result.partialValue)
    }
    switch operation {
    case .add: return try exact(a.addingReportingOverflow(b))
    case .subtract: return try exact(a.subtractingReportingOverflow(b))
    case .multiply: return try exact(a.multipliedReportingOverflow(by: b))
    case .divide: return try real(Double(a), .divide, Double(b))
    case .floorDivide, .remainder:
      if b == 0 { throw failure("division by zero") }
      let quotient = a.dividedReportingOverflow(by: b)
      if quotient.overflow { return try exact(quotient) }
      // Python rounds down; Swift rounds toward zero.
      let remainder = a % b
      let isBelow = remainder != 0 && (remainder < 0) != (b < 0)
      return .integer(
        operation == .remainder ? (isBelow ? remainder + b : remainder) : quotient.partialValue - (isBelow ? 1 : 0))
    case .power:
      if b < 0 { throw failure("'**' with a negative exponent", .unsupported) }
      if a.magnitude <= 1 { return .integer(b == 0 ? 1 : b % 2 == 0 ? a * a : a) }
      var result = 1
      for _ in 0..<min(b, 64) {
        let product = result.multipliedReportingOverflow(by: a)
        if product.overflow { return try exact(product) }
        result = product.partialValue
      }
      return .integer(result)
    }
  }

  private func real(
    _ a: Double, _ operation: ArithmeticOperator, _ b: Double
  ) throws(ChatTemplateError) -> TemplateValue {
    switch operation {
    case .add: return .number(a + b)
    case .subtract: return .number(a - b)
    case .multiply: return .number(a * b)
    case .power: throw failure("'**' of numbers with a fraction", .unsupported)
    case .divide, .floorDivide, .remainder:
      if b == 0 { throw failure("division by zero") }
      if operation == .divide { return .number(a / b) }
      let floored = (a / b).rounded(.down)
      return .number(operation == .floorDivide ? floored : a - b * floored)
    }
  }

  func compare(
    _ left: TemplateValue, _ operation: ComparisonOperator, _ right: TemplateValue
  ) throws(ChatTemplateError) -> Bool {
    switch operation {
    case .equal: return try isEqual(left, right)
    case .notEqual: return !(try isEqual(left, right))
    case .contained: return try contains(right, left)
    case .notContained: return !(try contains(right, left))
    case .less: return try isLess(left, right, "<")
    case .greater: return try isLess(right, left, ">")
    case .lessOrEqual: return try !isLess(right, left, "<=")
    case .greaterOrEqual: return try !isLess(left, right, ">=")
    }
  }

  func isEqual(_ left: TemplateValue, _ right: TemplateValue) throws(ChatTemplateError) -> Bool {
    try spend()
    if let a = left.wholeNumber, let b = right.wholeNumber { return a == b }
    if let a = left.anyNumber, let b = right.anyNumber { return a == b }
    if let a = left.textBytes, let b = right.textBytes {
      try spend(bytes: min(a.count, b.count))
      return a == b
    }
    switch (left, right) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.list(let a), .list(let b)):
      guard a.kind == b.kind, a.items.count == b.items.count else { return false }
      for (a, b) in zip(a.items, b.items) where !(try isEqual(a, b)) { return false }
      return true
    case (.dictionary(let a), .dictionary(let b)):
      guard a.entries.count == b.entries.count else { return false }
      for entry in a.entries {
        guard let other = b[entry.key], try isEqual(entry.value, other) else { return false }
      }
      return true
    case (.namespace(let a), .namespace(let b)): return a === b
    case (.loop, _), (.function, _), (.iterator, _): throw failure("comparing \(left.typeName)", .unsupported)
    default: return false
    }
  }

  func isLess(_ left: TemplateValue, _ right: TemplateValue, _ sign: String) throws(ChatTemplateError) -> Bool {
    if let a = left.wholeNumber, let b = right.wholeNumber { return a < b }
    if let a = left.anyNumber, let b = right.anyNumber {
      if a.isNaN || b.isNaN { throw failure("comparing what is not a number", .unsupported) }
      return a < b
    }
    if let a = left.textBytes, let b = right.textBytes {
      try spend(bytes: min(a.count, b.count))
      return a.lexicographicallyPrecedes(b)
    }
    throw failure("'\(sign)' of \(left.typeName) and \(right.typeName)")
  }

  private func contains(_ container: TemplateValue, _ value: TemplateValue) throws(ChatTemplateError) -> Bool {
    switch container {
    case .string(let bytes), .markup(let bytes):
      guard let part = value.textBytes else { throw failure("'in' text needs text, not \(value.typeName)") }
      try spend(bytes: bytes.count + part.count)
      return part.isEmpty || UTF8Text.firstIndex(of: part, in: bytes) != nil
    case .dictionary(let dictionary):
      try spend(reading: value)
      switch value {
      case .string(let bytes): return dictionary[.string(bytes)] != nil
      case .integer(let number): return dictionary[.integer(number)] != nil
      case .none, .bool, .number, .undefined: return false
      default: throw failure("'in' a mapping needs text, not \(value.typeName)")
      }
    case .undefined, .list, .iterator:
      for item in try items(of: container, "search") where try isEqual(item, value) { return true }
      return false
    default: throw failure("'in' needs text, a list or a mapping, not \(container.typeName)")
    }
  }
}

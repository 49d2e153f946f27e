/// The arguments of a call, evaluated.
struct TemplateArguments {
  var positional: [TemplateValue] = []
  var named: [(String, TemplateValue)] = []

  var isEmpty: Bool { positional.isEmpty && named.isEmpty }

  /// The arguments in the order of `parameters`, nil where one is not given. Charges for finding and reading them.
  func bind(
    _ function: String, _ parameters: [String], required: Int, _ renderer: TemplateRenderer
  ) throws(ChatTemplateError) -> [TemplateValue?] {
    try renderer.spend(positional.count + parameters.count)
    for value in positional { try renderer.spend(reading: value) }
    for (name, value) in named {
      try renderer.spend(parameters.count, of: name.utf8.count / 32 + 1)
      try renderer.spend(reading: value)
    }
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

import NablaTensor

extension Module {
  /// Replaces parameters by name.
  ///
  /// - Parameters:
  ///   - state: tensors by the names of the parameters.
  ///   - keepingTypes: whether matrices keep their type (block-quantized, 16 bits, in a mapped file) and are shared
  ///     rather than copied to float32. Such a parameter is frozen: only float32 ones are trained.
  /// - Throws: `StateError` naming each parameter that is missing, unknown or of another shape; then nothing changes.
  public func load(_ state: [String: Tensor], keepingTypes: Bool = false) throws(StateError) {
    let own = parameters()
    let names = Set(own.map(\.name))
    var problems = state.keys.filter { !names.contains($0) }.sorted().map { "unknown tensor \($0)" }
    for parameter in own {
      guard let tensor = state[parameter.name] else {
        problems.append("missing tensor \(parameter.name)")
        continue
      }
      if tensor.shape != parameter.value.shape {
        problems.append("\(parameter.name) has shape \(tensor.shape), the model expects \(parameter.value.shape)")
      }
    }
    guard problems.isEmpty else { throw StateError(problems: problems) }
    for parameter in own {
      let tensor = state[parameter.name]!.stopGradient()
      let keeps = keepingTypes && tensor.rank >= 2 && tensor.dtype != .float64
      parameter.value = keeps ? tensor : tensor.cast(.float32).copy()
    }
  }
}

/// A state dictionary that does not fit a model.
public struct StateError: Error, CustomStringConvertible, Sendable {
  public let problems: [String]

  public init(problems: [String]) { self.problems = problems }

  public var description: String {
    let shown = problems.prefix(5).joined(separator: "; ")
    return problems.count > 5 ? "\(shown); and \(problems.count - 5) more" : shown
  }
}

extension Module: CustomStringConvertible {
  /// The tree of modules with shapes and counts.
  public var description: String { tree(indent: "") }

  private func tree(indent: String) -> String {
    var lines = ["\(type(of: self)) (\(grouped(parameterCount)) parameters)"]
    for (name, member) in members().found {
      switch member {
      case .parameter(let box):
        guard let tensor = box.tensor else { continue }
        let type = tensor.dtype == .float32 ? "" : " \(tensor.dtype)"
        lines.append("\(indent)  \(name): \(tensor.shape)\(type)\(box.isTrainable ? "" : " frozen")")
      case .child(let module, _, _):
        lines.append("\(indent)  \(name): \(module.tree(indent: indent + "  "))")
      }
    }
    return lines.joined(separator: "\n")
  }
}

/// 1234567 → "1,234,567".
package func grouped(_ number: Int) -> String {
  var digits = String(number.magnitude)
  var groups: [String] = []
  while digits.count > 3 {
    groups.insert(String(digits.suffix(3)), at: 0)
    digits.removeLast(3)
  }
  groups.insert(digits, at: 0)
  return (number < 0 ? "-" : "") + groups.joined(separator: ",")
}

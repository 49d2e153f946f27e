import NablaTensor

extension Gradients {
  /// Adds other gradients of the same model, parameter by parameter.
  public mutating func add(_ other: Gradients) {
    precondition(scale == 1 && other.scale == 1, "Gradients.add: scale after the sum, not before")
    if parts.isEmpty { return self = other }
    precondition(parts.map(\.name) == other.parts.map(\.name), "Gradients.add: gradients of other parameters")
    var sum = Gradients()
    for (part, added) in zip(parts, other.parts) { sum.append(part.name, part.tensor + added.tensor) }
    self = sum
  }
}

extension Module {
  /// The name of the first parameter with a non-finite value; nil if all are finite.
  package var firstNonFinite: String? { parameters().first { !$0.value.sumOfSquares().isFinite }?.name }
}

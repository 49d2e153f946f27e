import NablaTensor

/// The gradients of a model's trainable parameters, by name.
public struct Gradients {
  struct Part {
    let name: String
    let tensor: Tensor
  }

  /// In the model's order.
  private(set) var parts: [Part] = []

  public init() {}

  public subscript(name: String) -> Tensor? {
    parts.first { $0.name == name }.map { scale == 1 ? $0.tensor : $0.tensor * Tensor(scale) }
  }
  public var names: [String] { parts.map(\.name).sorted() }

  mutating func append(_ name: String, _ tensor: Tensor) { parts.append(Part(name: name, tensor: tensor)) }
  mutating func remove(_ name: String) { parts.removeAll { $0.name == name } }

  /// A parameter's gradient, not scaled. Requests in the model's order find each at `next`, which advances.
  func tensor(of name: String, next: inout Int) -> Tensor? {
    guard next < parts.count, parts[next].name == name else { return parts.first { $0.name == name }?.tensor }
    next += 1
    return parts[next - 1].tensor
  }

  /// √Σ g², over all parameters together. Infinite or NaN if any gradient is.
  public var norm: Float { abs(scale) * Float(parts.reduce(0.0) { $0 + $1.tensor.sumOfSquares() }.squareRoot()) }

  /// The first parameter, in name order, with a non-finite gradient.
  public var firstNonFinite: String? {
    parts.filter { !$0.tensor.sumOfSquares().isFinite }.map(\.name).min()
  }

  /// All gradients scaled so that their global norm is at most `limit` (Pascanu et al. 2013).
  ///
  /// The tensors are not touched: optimizers apply the scale as they step.
  public func clipped(toNorm limit: Float) -> Gradients {
    let norm = norm
    return norm > limit ? scaled(by: limit / norm) : self
  }

  /// Every gradient times `factor`.
  public func scaled(by factor: Float) -> Gradients {
    var result = self
    result.scale *= factor
    return result
  }

  /// A factor on every gradient that is still to be applied.
  package var scale: Float = 1
}

/// The value of a scalar function of a model and its gradients with respect to the trainable parameters.
///
/// - Parameters:
///   - model: its trainable parameters are differentiated.
///   - gradients: the gradients of earlier micro-batches of the same step (gradient accumulation); the new gradients
///     are added in place.
///   - function: computes the loss; uses the model it is passed.
public func valueAndGradient<Model: Module>(
  of model: Model, accumulating gradients: consuming Gradients = Gradients(),
  _ function: (Model) throws -> Tensor
) rethrows -> (value: Tensor, gradients: Gradients) {
  precondition(gradients.scale == 1, "valueAndGradient: clip after the last part of a step, not before")
  let parameters = model.trainableParameters()
  let leaves = parameters.map { $0.box.record() }
  defer { for parameter in parameters { parameter.box.endRecord() } }
  if !gradients.parts.isEmpty {
    var next = 0
    for (parameter, leaf) in zip(parameters, leaves) {
      leaf.gradient = gradients.tensor(of: parameter.name, next: &next)
    }
    gradients = Gradients()  // so that each leaf is the only owner of its sum
  }
  let value = try function(model)
  value.backward()
  var result = Gradients()
  for (parameter, leaf) in zip(parameters, leaves) {
    // A parameter that the loss does not depend on has gradient zero.
    result.append(parameter.name, leaf.gradient ?? .zeros(leaf.shape))
    leaf.gradient = nil
  }
  return (value.stopGradient(), result)
}

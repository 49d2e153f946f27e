import NablaTensor

/// The gradients of a model's trainable parameters, by name.
public struct Gradients {
  package var tensors: [String: Tensor]

  public init() { tensors = [:] }

  public subscript(name: String) -> Tensor? { tensors[name].map { scale == 1 ? $0 : $0 * Tensor(scale) } }
  public var names: [String] { tensors.keys.sorted() }

  /// √Σ g², over all parameters together. Infinite or NaN if any gradient is.
  public var norm: Float {
    // In the order of names, so that the sum has the same bits every time.
    abs(scale) * Float(names.reduce(0.0) { $0 + tensors[$1]!.sumOfSquares() }.squareRoot())
  }

  /// The first parameter, in the order of names, whose gradient is not finite.
  public var firstNonFinite: String? { names.first { !tensors[$0]!.sumOfSquares().isFinite } }

  /// All gradients scaled so that their common norm is at most `limit` (Pascanu et al. 2013).
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
///   - gradients: what earlier parts of the same step gave (gradient accumulation); the new gradients are added in place.
///   - function: computes the loss; uses the model it is handed.
public func valueAndGradient<Model: Module>(
  of model: Model, accumulating gradients: consuming Gradients = Gradients(),
  _ function: (Model) throws -> Tensor
) rethrows -> (value: Tensor, gradients: Gradients) {
  let parameters = model.trainableParameters()
  var earlier = gradients.tensors
  precondition(gradients.scale == 1, "valueAndGradient: clip after the last part of a step, not before")
  gradients.tensors = [:]
  for parameter in parameters {
    let leaf = parameter.box.tensor!.stopGradient().leaf()
    if !earlier.isEmpty { leaf.node!.gradient = earlier.removeValue(forKey: parameter.name) }
    parameter.box.tensor = leaf
  }
  defer {
    for parameter in parameters { parameter.box.tensor = parameter.box.tensor!.stopGradient() }
  }
  let value = try function(model)
  value.backward()
  var result = Gradients()
  result.tensors.reserveCapacity(parameters.count)
  for parameter in parameters {
    let node = parameter.box.tensor!.node!
    // A parameter the loss does not touch has gradient zero.
    result.tensors[parameter.name] = node.gradient ?? .zeros(parameter.box.tensor!.shape)
    node.gradient = nil
  }
  return (value.stopGradient(), result)
}

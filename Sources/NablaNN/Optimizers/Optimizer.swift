import NablaTensor

/// Updates a model's parameters from its gradients, one step at a time.
public protocol Optimizer: AnyObject {
  /// The next step's number, from 0; schedules and bias corrections depend on it.
  var step: Int { get }
  /// Takes one step. Only parameters with a gradient are updated.
  func update(_ model: Module, with gradients: Gradients)
  /// All state that the next step depends on, except settings: moments by "name.kind".
  var state: [String: Tensor] { get }
  /// Restores a saved state.
  /// - Throws: `StateError` if a tensor does not fit the model.
  func restore(_ state: [String: Tensor], step: Int, for model: Module) throws(StateError)
}

/// Which parameters weight decay applies to: matrices and embeddings, not biases and norms.
public func decaysMatrices(_ name: String, _ value: Tensor) -> Bool { value.rank >= 2 }

extension Optimizer {
  /// The tensors "name.kind" of a saved state for each trainable parameter, checked for shape, as `kinds` of tables.
  func restored(
    _ state: [String: Tensor], kinds: [String], for model: Module
  ) throws(StateError) -> [[String: Tensor]] {
    var tables = kinds.map { _ in [String: Tensor]() }
    var problems: [String] = []
    for parameter in model.trainableParameters() {
      for (i, kind) in kinds.enumerated() {
        guard let tensor = state["\(parameter.name).\(kind)"] else { continue }
        if tensor.shape == parameter.value.shape {
          tables[i][parameter.name] = tensor.copy()
        } else {
          problems.append("\(parameter.name).\(kind) has shape \(tensor.shape), not \(parameter.value.shape)")
        }
      }
    }
    guard problems.isEmpty else { throw StateError(problems: problems) }
    return tables
  }
}

extension Module {
  /// Passes each parameter that has a gradient to `step`, with its value, whose memory may be written to, and its
  /// float32 gradient.
  func forEachStepped(
    _ gradients: Gradients, _ step: (_ parameter: NamedParameter, _ value: Tensor, _ gradient: Tensor) -> Void
  ) {
    var next = 0
    for parameter in trainableParameters() {
      guard let gradient = gradients.tensor(of: parameter.name, next: &next) else { continue }
      step(parameter, parameter.box.ownTensor(), gradient.cast(.float32))
    }
  }
}

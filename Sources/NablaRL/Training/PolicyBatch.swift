import NablaTensor

/// Steps to learn from, drawn from a rollout. B rows.
struct PolicyBatch {
  /// [B, O].
  let observations: Tensor
  /// [B] int32, or [B, A].
  let actions: Tensor
  /// [B]: ln π_old; nil for the plain policy gradient.
  let oldLogProbabilities: Tensor?
  /// [B].
  let advantages: Tensor
  /// [B].
  let returns: Tensor
  /// [B]: V when the actions were taken.
  let oldValues: Tensor

  /// Advantages minus their mean, divided by their sample standard deviation (as in torch.std).
  func normalizingAdvantages() -> PolicyBatch {
    let (x, count) = (advantages.floats, advantages.count)
    guard count > 1 else { return self }
    var (sum, squares) = (0.0, 0.0)
    for i in 0..<count { sum += Double(x[i]) }
    let mean = sum / Double(count)
    for i in 0..<count { squares += (Double(x[i]) - mean) * (Double(x[i]) - mean) }
    let scale = 1 / ((squares / Double(count - 1)).squareRoot() + 1e-8)
    let normalized = Tensor(uninitialized: [count])
    for i in 0..<count { normalized.floats[i] = Float((Double(x[i]) - mean) * scale) }
    return PolicyBatch(
      observations: observations, actions: actions, oldLogProbabilities: oldLogProbabilities,
      advantages: normalized, returns: returns, oldValues: oldValues)
  }
}

import NablaTensor

extension Rollout {
  /// A random order of the rows; nil if one minibatch takes all of them and order does not matter.
  func order(_ random: inout RandomSource, minibatchSize: Int) -> [Int]? {
    minibatchSize == rows ? nil : random.permutation(rows)
  }

  /// These rows, or all.
  func batch(_ chosen: ArraySlice<Int>?, withOldPolicy: Bool = true) -> PolicyBatch {
    guard let chosen else {
      return PolicyBatch(
        observations: observations, actions: actions, oldLogProbabilities: withOldPolicy ? logProbabilities : nil,
        advantages: advantages, returns: returns, oldValues: values)
    }
    func gathered(_ tensor: Tensor) -> Tensor {
      // A rollout that ended early fills only part of its tensors.
      let width = tensor.count / tensor.shape[0]
      let result = Tensor(uninitialized: tensor.shape.replacing(0, with: chosen.count), dtype: tensor.dtype)
      // Both element types have four bytes.
      let (from, to) = (
        tensor.pointer.assumingMemoryBound(to: Int32.self), result.pointer.assumingMemoryBound(to: Int32.self)
      )
      for (i, row) in chosen.enumerated() {
        for k in 0..<width { to[i * width + k] = from[row * width + k] }
      }
      return result
    }
    return PolicyBatch(
      observations: gathered(observations), actions: gathered(actions),
      oldLogProbabilities: withOldPolicy ? gathered(logProbabilities) : nil, advantages: gathered(advantages),
      returns: gathered(returns), oldValues: gathered(values))
  }
}

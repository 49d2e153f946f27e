import CNablaKernels
import NablaTensor

extension ActorCritic.Output {
  /// The distributions over actions, for the kernels. The pointers are valid as long as the output lives.
  var distribution: nabla_policy {
    nabla_policy(
      n: Int64(actionCount), stride: Int64(stride), continuous: logStandardDeviation == nil ? 0 : 1,
      parameters: tensor.floats,
      log_deviations: logStandardDeviation.map { UnsafePointer($0.floats) })
  }

  var scratch: Tensor { Tensor(uninitialized: [Int(nabla_policy_scratch(Int64(actionCount)))]) }

  /// Draws an action per row and writes it and its ln π.
  ///
  /// - Parameters:
  ///   - noise: [B] uniform in [0, 1) for discrete actions, [B, A] normal for continuous ones.
  ///   - actions: the destination of B indices or B·A numbers.
  ///   - logProbabilities: the destination of B numbers.
  func sample(
    noise: UnsafePointer<Float>, into actions: Actions, logProbabilities: UnsafeMutablePointer<Float>, scratch: Tensor
  ) {
    var distribution = distribution
    // Memory that the kernel points to must stay alive until it returns.
    withExtendedLifetime((self, scratch)) {
      nabla_policy_sample(
        &distribution, Int64(tensor.shape[0]), noise, actions.discrete, actions.continuous, logProbabilities,
        scratch.floats)
    }
  }

  /// ln π of given actions.
  func logProbabilities(of actions: Actions) -> Tensor {
    let result = Tensor(uninitialized: [tensor.shape[0]])
    let scratch = scratch
    var distribution = distribution
    withExtendedLifetime((self, scratch)) {
      nabla_policy_log_probabilities(
        &distribution, Int64(tensor.shape[0]), actions.discrete, actions.continuous, result.floats, scratch.floats)
    }
    return result
  }

  /// The most likely action of each row.
  func likeliest(into actions: Actions) {
    for row in 0..<tensor.shape[0] {
      let parameters = tensor.floats + row * stride
      if let numbers = actions.continuous {
        (numbers + row * actionCount).update(from: parameters, count: actionCount)
      } else {
        var best = 0
        for a in 1..<max(actionCount, 1) where parameters[a] > parameters[best] { best = a }
        actions.discrete![row] = Int32(best)
      }
    }
  }
}

/// The memory of actions: one of the two.
struct Actions {
  /// [B].
  var discrete: UnsafeMutablePointer<Int32>?
  /// [B, A], as the policy draws them: neither clipped nor squashed.
  var continuous: UnsafeMutablePointer<Float>?

  static func + (actions: Actions, rows: (count: Int, width: Int)) -> Actions {
    Actions(
      discrete: actions.discrete.map { $0 + rows.count },
      continuous: actions.continuous.map { $0 + rows.count * rows.width })
  }
}

extension PolicyArchitecture {
  /// The action for the environment from a number that the policy drew: clipped to the bounds, or squashed into them.
  func bounded(_ number: Float, low: Float, high: Float) -> Float {
    guard squashesActions, low.isFinite, high.isFinite else { return min(max(number, low), high) }
    return low + (high - low) * 0.5 * (1 + tanhFloat(number))
  }
}

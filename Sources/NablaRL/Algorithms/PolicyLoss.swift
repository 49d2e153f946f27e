import CNablaKernels
import NablaNN
import NablaTensor

extension ActorCritic {
  /// The loss of an actor-critic on a batch: `PPO.loss`, or without old probabilities `policyGradientLoss`.
  ///
  /// One operation with its own gradient (CNablaKernels/policy.c): as a dozen operations it would cost
  /// more than the whole network.
  ///
  /// - Returns: the scalar loss, recorded, and its parts.
  func loss(_ batch: PolicyBatch, _ settings: nabla_policy_loss) -> (Tensor, nabla_policy_statistics) {
    let output = self(batch.observations)
    var policy = output.distribution
    var settings = settings
    var statistics = nabla_policy_statistics()
    let outputGradient = Tensor(uninitialized: output.tensor.shape)
    let deviationGradient = output.logStandardDeviation.map { Tensor(uninitialized: $0.shape) }
    let actions = Actions(batch.actions)
    var kernelBatch = nabla_policy_batch(
      rows: Int64(batch.advantages.count), discrete: actions.discrete, numbers: actions.continuous,
      old_log_probabilities: batch.oldLogProbabilities.map { UnsafePointer($0.floats) },
      advantages: batch.advantages.floats, returns: batch.returns.floats, old_values: batch.oldValues.floats,
      values: output.tensor.floats + output.actionCount, value_stride: Int64(output.stride))
    let scratch = output.scratch
    // Memory that the kernel points to must stay alive until it returns.
    let loss = withExtendedLifetime((output, batch, scratch)) {
      nabla_policy_gradient(
        &policy, &kernelBatch, &settings, outputGradient.floats, deviationGradient?.floats,
        outputGradient.floats + output.actionCount, &statistics, scratch.floats)
    }
    // The gradients were computed for an upstream gradient of 1, which is that of a loss.
    var (inputs, gradients) = ([output.tensor], [outputGradient])
    if let deviations = output.logStandardDeviation, let deviationGradient {
      inputs.append(deviations)
      gradients.append(deviationGradient)
    }
    let result = Tensor(Float(loss)).recorded(inputs) { [gradients] upstream, nodes in
      let factor = upstream.item()
      for (node, gradient) in zip(nodes, gradients) {
        node?.accumulate(factor == 1 ? gradient : gradient * Tensor(factor))
      }
    }
    return (result, statistics)
  }
}

/// The parts of a loss: the fields of `nabla_policy_statistics`, and the total.
package struct PolicyLossParts {
  package var loss, policyLoss, valueLoss, entropy, approximateKL, clipFraction: Double
}

extension ActorCritic {
  /// The loss of a batch and its gradients by parameter, for comparison with another implementation.
  package func lossAndGradients(
    observations: Tensor, actions: Tensor, oldLogProbabilities: Tensor?, advantages: Tensor, returns: Tensor,
    oldValues: Tensor, clipRange: Float, valueClipRange: Float, valueCoefficient: Float, entropyCoefficient: Float
  ) -> (PolicyLossParts, Gradients) {
    let batch = PolicyBatch(
      observations: observations, actions: actions, oldLogProbabilities: oldLogProbabilities, advantages: advantages,
      returns: returns, oldValues: oldValues)
    let settings = nabla_policy_loss(
      clip_range: clipRange, value_clip_range: valueClipRange, value_coefficient: valueCoefficient,
      entropy_coefficient: entropyCoefficient)
    var s = nabla_policy_statistics()
    let (loss, gradients) = valueAndGradient(of: self) { network in
      let (loss, parts) = network.loss(batch, settings)
      s = parts
      return loss
    }
    return (
      PolicyLossParts(
        loss: Double(loss.item()), policyLoss: s.policy_loss, valueLoss: s.value_loss, entropy: s.entropy,
        approximateKL: s.approximate_kl, clipFraction: s.clip_fraction), gradients
    )
  }

  /// The same, with the formulas of PPO.swift and, without old probabilities, A2C.swift.
  package func formulaLossAndGradients(
    observations: Tensor, actions: Tensor, oldLogProbabilities: Tensor?, advantages: Tensor, returns: Tensor,
    oldValues: Tensor, clipRange: Float, _ c: PPOConfiguration
  ) -> (Double, Gradients) {
    let batch = PolicyBatch(
      observations: observations, actions: actions, oldLogProbabilities: oldLogProbabilities, advantages: advantages,
      returns: returns, oldValues: oldValues)
    let (loss, gradients) = valueAndGradient(of: self) { network in
      oldLogProbabilities != nil
        ? PPO.loss(network(observations), batch, clipRange: clipRange, c)
        : policyGradientLoss(
          network(observations), batch, valueCoefficient: c.valueCoefficient, entropyCoefficient: c.entropyCoefficient)
    }
    return (Double(loss.item()), gradients)
  }
}

import CNablaKernels
import NablaNN
import NablaTensor

/// Proximal policy optimization (Schulman et al. 2017): several epochs of gradient steps on one rollout, kept close
/// to the policy that acted by clipping the gain from changing each action's probability.
///
/// Documentation/ppo.md explains each line here, and lists which of the 37 implementation details it is.
public final class PPO: Learner {
  public let configuration: PPOConfiguration
  public let session: LearningSession

  /// - Throws: `ConfigurationError`, or what resetting the environments throws.
  public init(_ configuration: PPOConfiguration, in environments: VectorEnvironment) throws {
    self.configuration = configuration
    session = try LearningSession(configuration, environments, steps: configuration.rolloutSteps)
  }

  /// In a built-in environment.
  public convenience init(_ configuration: PPOConfiguration, in environment: String) throws {
    try self.init(configuration, in: VectorEnvironment(environment, count: configuration.environmentCount))
  }

  /// The loss of each gradient step, on a minibatch:
  ///
  ///     L = -mean min(r·Â, clip(r, 1 - ε, 1 + ε)·Â) + c_v·mean (V - R)² - c_H·mean H
  ///
  /// (Schulman et al. 2017, equation 9.) Training uses its fused form, `ActorCritic.loss`; a test checks that the two
  /// are equal. As a dozen operations, the loss would cost more than the whole network.
  static func loss(_ output: ActorCritic.Output, _ batch: PolicyBatch, clipRange ε: Float, _ c: PPOConfiguration)
    -> Tensor
  {
    let ratio = probabilityRatio(output.logProbabilities(of: batch.actions), old: batch.oldLogProbabilities!)
    let objective = clippedSurrogate(ratio: ratio, advantages: batch.advantages, clipLow: ε, clipHigh: ε).mean()
    let valueLoss = valueLoss(
      values: output.values, returns: batch.returns, oldValues: batch.oldValues, clipRange: c.valueClipRange
    ).mean()
    return -objective + valueLoss * Tensor(c.valueCoefficient) - output.entropy.mean() * Tensor(c.entropyCoefficient)
  }

  public func update() throws -> UpdateMetrics {
    try measured {
      let c = configuration
      // ε, annealed like the learning rate.
      let clipRange = c.clipRange * (c.annealsClipRange ? session.remaining : 1)

      // Act: T steps in N environments. Then Â by generalized advantage estimation, and R = Â + V.
      try session.collect()
      session.estimate(lambda: c.lambda)
      let rollout = session.rollout

      // Learn: epochs over shuffled minibatches.
      var sums = UpdateSums()
      var metrics = UpdateMetrics()
      func minibatch(_ rows: ArraySlice<Int>?) -> PolicyBatch {
        let batch = rollout.batch(rows)
        return c.normalizesAdvantages ? batch.normalizingAdvantages() : batch
      }
      let whole = c.minibatchSize == rollout.rows ? minibatch(nil) : nil
      epochs: for _ in 0..<c.epochs {
        let order = rollout.order(&session.shuffles, minibatchSize: c.minibatchSize)
        sums.beginEpoch()
        for start in stride(from: 0, to: rollout.rows, by: c.minibatchSize) {
          let size = min(c.minibatchSize, rollout.rows - start)
          let batch = whole ?? minibatch(order.map { $0[start..<start + size] })

          var statistics = nabla_policy_statistics()
          let (loss, gradients) = valueAndGradient(of: session.agent.network) { network in
            let (loss, parts) = network.loss(batch, c.fusedLoss(clipRange: clipRange))
            statistics = parts
            return loss
          }
          // Early stopping: this minibatch's policy is already too far from the one that acted; its step is not taken.
          if c.targetKL > 0, statistics.approximate_kl > 1.5 * Double(c.targetKL) {
            sums.add(statistics, rows: size, norm: nil)
            break epochs
          }
          let step = try session.optimization.apply(gradients, loss: Double(loss.item()), to: session.agent.network)
          sums.add(statistics, rows: size, norm: step.gradientNorm)
        }
        metrics.epochs += 1
      }
      sums.fill(&metrics)
      metrics.clipRange = Double(clipRange)
      let explained = rollout.explainedVariance
      metrics.explainedVariance = explained.isNaN ? nil : explained
      return (rollout.rows, metrics)
    }
  }

  /// The ratios π/π_old of the last rollout's actions under the current policy, and their advantages, [N·T] each:
  /// their positions on the clipped objective after the update.
  public func probabilityRatios() -> (ratios: [Float], advantages: [Float]) {
    let rollout = session.rollout
    let now = withoutGradient { session.agent.network.actionOutput(rollout.observations) }
      .logProbabilities(of: Actions(rollout.actions))
    return ((now - rollout.logProbabilities).exp().array(), rollout.advantages.array())
  }
}

extension PPOConfiguration {
  func fusedLoss(clipRange: Float) -> nabla_policy_loss {
    nabla_policy_loss(
      clip_range: clipRange, value_clip_range: valueClipRange, value_coefficient: valueCoefficient,
      entropy_coefficient: entropyCoefficient)
  }
}

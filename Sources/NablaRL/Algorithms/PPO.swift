import CNablaKernels
import NablaNN
import NablaTensor

/// Proximal policy optimization (Schulman et al. 2017): several epochs of gradient steps on one rollout, held near the
/// policy that acted by clipping how much each action's probability may gain from moving.
///
/// Documentation/ppo.md explains each line here, and lists which of the 37 implementation details it is.
public final class PPO: Learner {
  public let configuration: PPOConfiguration
  public let session: LearningSession

  /// - Throws: ``LearningError/badSetting(_:)``, or what resetting the environments throws.
  public init(_ configuration: PPOConfiguration, in environments: VectorEnvironment) throws {
    self.configuration = configuration
    session = try LearningSession(configuration, environments, steps: configuration.rolloutSteps)
  }

  /// In an environment that comes with Nabla.
  public convenience init(_ configuration: PPOConfiguration, in environment: String) throws {
    try self.init(configuration, in: VectorEnvironment(environment, count: configuration.environmentCount))
  }

  public func update() throws -> UpdateMetrics {
    try measured {
      let c = configuration
      // ε, annealed like the learning rate.
      let clipRange = c.clipRange * (c.annealsClipRange ? session.remaining : 1)
      let settings = nabla_policy_loss(
        clip_range: clipRange, value_clip_range: c.valueClipRange, value_coefficient: c.valueCoefficient,
        entropy_coefficient: c.entropyCoefficient)

      // Act: T steps in N environments. Then Â by generalised advantage estimation, and R = Â + V.
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

          // L = mean -min(r·Â, clip(r, 1 ± ε)·Â) + c_v·mean (V - R)² - c_H·H; see `ActorCritic.loss`.
          var statistics = nabla_policy_statistics()
          var (_, gradients) = valueAndGradient(of: session.agent.network) { network in
            let (loss, parts) = network.loss(batch, settings)
            statistics = parts
            return loss
          }
          // KL stop: this minibatch's policy is already too far from the one that acted; its step is not taken.
          if c.targetKL > 0, statistics.approximate_kl > 1.5 * Double(c.targetKL) {
            sums.add(statistics, rows: size, norm: nil)
            break epochs
          }
          let norm = gradients.norm
          if c.maxGradientNorm > 0, norm > c.maxGradientNorm {
            gradients = gradients.scaled(by: c.maxGradientNorm / (norm + 1e-6))
          }
          session.optimizer.update(session.agent.network, with: gradients)
          sums.add(statistics, rows: size, norm: Double(norm))
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

  /// The ratios π/π_old of the last rollout's actions under the policy as it is now, and their advantages, [N·T] each:
  /// where the update left them on the clipped objective.
  public func probabilityRatios() -> (ratios: [Float], advantages: [Float]) {
    let rollout = session.rollout
    let now = withoutGradient { session.agent.network.actionOutput(rollout.observations) }
      .logProbabilities(of: Actions(rollout.actions))
    return ((now - rollout.logProbabilities).exp().array(), rollout.advantages.array())
  }
}

extension Rollout {
  /// A random order of the rows; nil where one minibatch takes them all and order does not matter.
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
      // A rollout that ended early fills only a part of its tensors.
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

/// The parts of the loss, added up over the minibatches of an update.
struct UpdateSums {
  private var epoch = nabla_policy_statistics()
  private var epochRows = 0
  private var clipped = 0.0
  private var rows = 0
  private var norms = 0.0
  private var steps = 0

  mutating func beginEpoch() {
    epoch = nabla_policy_statistics()
    epochRows = 0
  }

  mutating func add(_ s: nabla_policy_statistics, rows count: Int, norm: Double?) {
    let weight = Double(count)
    epoch.policy_loss += s.policy_loss * weight
    epoch.value_loss += s.value_loss * weight
    epoch.entropy += s.entropy * weight
    epoch.approximate_kl += s.approximate_kl * weight
    clipped += s.clip_fraction * weight
    epochRows += count
    rows += count
    if let norm {
      norms += norm
      steps += 1
    }
  }

  func fill(_ metrics: inout UpdateMetrics) {
    let weight = Double(max(epochRows, 1))
    metrics.policyLoss = epoch.policy_loss / weight
    metrics.valueLoss = epoch.value_loss / weight
    metrics.entropy = epoch.entropy / weight
    metrics.approximateKL = epoch.approximate_kl / weight
    metrics.clipFraction = clipped / Double(max(rows, 1))
    metrics.gradientNorm = norms / Double(max(steps, 1))
  }
}

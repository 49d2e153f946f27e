import CNablaKernels

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

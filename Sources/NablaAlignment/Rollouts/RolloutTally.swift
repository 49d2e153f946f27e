import NablaNN
import NablaTensor
import NablaTraining

/// Token statistics of a step, summed over micro-batches.
struct RolloutTally {
  private var tokens = 0.0
  private var (entropy, kl, low, high, difference, importance) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
  private var largestDifference = 0.0
  private var hasReference = false

  mutating func add(
    _ logProbabilities: Tensor, _ entropies: Tensor, _ terms: GRPO.Terms, sampled: Tensor, _ c: GRPO.Configuration
  ) {
    withoutGradient {
      let now = logProbabilities.stopGradient()
      let ratios = c.importanceSampling.logRatios(now, old: terms.old, lengths: terms.lengths).exp().array()
      for (ratio, advantage) in zip(ratios, terms.advantages.array()) {
        if ratio < 1 - c.clipLow, advantage < 0 { low += 1 }
        if ratio > 1 + c.clipHigh, advantage > 0 { high += 1 }
      }
      for d in (terms.old - sampled).array() {
        difference += Double(abs(d))
        largestDifference = max(largestDifference, Double(abs(d)))
      }
      entropy += sum(entropies.stopGradient())
      importance += terms.importance.map(sum) ?? 0
      if let reference = terms.reference {
        kl += sum(KLEstimator.k3(now, reference: reference))
        hasReference = true
      }
      tokens += Double(now.count)
    }
  }

  private func sum(_ x: Tensor) -> Double { x.array().reduce(0) { $0 + Double($1) } }

  /// Mean |Δ ln π| between sampler and trainer, in nats.
  var meanDifference: Double { difference / max(tokens, 1) }
  var meanEntropy: Double { entropy / max(tokens, 1) }
  /// Nil without a reference.
  var meanKL: Double? { hasReference ? kl / max(tokens, 1) : nil }

  /// Means over tokens, under TRL's names.
  func metrics(_ c: GRPO.Configuration) -> [Metric] {
    let n = max(tokens, 1)
    var metrics = [
      Metric("entropy", meanEntropy), Metric("clip_ratio/low_mean", low / n), Metric("clip_ratio/high_mean", high / n),
      Metric("clip_ratio/region_mean", (low + high) / n),
      Metric("sampling/sampling_logp_difference/mean", meanDifference),
      Metric("sampling/sampling_logp_difference/max", largestDifference),
    ]
    if c.importanceLimit > 0 { metrics.append(Metric("sampling/importance_sampling_ratio/mean", importance / n)) }
    if let meanKL { metrics.append(Metric("kl", meanKL)) }
    return metrics
  }
}

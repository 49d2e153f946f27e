import NablaNN
import NablaTensor
import NablaTraining

/// What the passes of all steps on a rollout tell of its tokens, summed over micro-batches.
package final class RLHFTally {
  package init() {}

  private var tokens = 0.0
  private var (policyLoss, valueLoss, entropy, squares, clipped, valuesClipped) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
  private var (ratio, ratioSquares, importance) = (0.0, 0.0, 0.0)
  /// max |r - 1| of the first pass.
  private var firstDeviation: Double?

  package func add(
    _ logProbabilities: Tensor, _ entropies: Tensor, _ losses: Tensor, _ terms: RLHF.Terms, _ c: RLHF.Configuration
  ) {
    withoutGradient {
      let differences = (logProbabilities.stopGradient() - terms.old).array()
      let ratios = probabilityRatio(logProbabilities.stopGradient(), old: terms.old).array()
      let advantages = terms.advantages.array()
      for (r, a) in zip(ratios, advantages) {
        // Where the clipped term is the smaller one, as TRL counts.
        if min(max(r, 1 - c.clipRange), 1 + c.clipRange) * a < r * a { clipped += 1 }
        ratio += Double(r)
        ratioSquares += Double(r) * Double(r)
      }
      if firstDeviation == nil { firstDeviation = ratios.reduce(0) { max($0, Double(abs($1 - 1))) } }
      squares += differences.reduce(0) { $0 + Double($1) * Double($1) }
      policyLoss += sum(losses.stopGradient().array())
      entropy += sum(entropies.stopGradient().array())
      importance += terms.importance.map { sum($0.array()) } ?? 0
      tokens += Double(ratios.count)
    }
  }

  package func add(values: Tensor, _ losses: Tensor, _ terms: RLHF.Terms, _ c: RLHF.Configuration) {
    withoutGradient {
      valueLoss += sum(losses.stopGradient().array())
      guard c.valueClipRange > 0 else { return }
      let (old, returns) = (terms.oldValues.array(), terms.returns.array())
      for (i, v) in values.stopGradient().array().enumerated() {
        let limited = old[i] + min(max(v - old[i], -c.valueClipRange), c.valueClipRange)
        if (limited - returns[i]) * (limited - returns[i]) > (v - returns[i]) * (v - returns[i]) { valuesClipped += 1 }
      }
    }
  }

  /// Means over tokens and steps, by TRL's names.
  package func metrics(_ c: RLHF.Configuration) -> [Metric] {
    let n = max(tokens, 1)
    let mean = ratio / n
    let variance = max(ratioSquares / n - mean * mean, 0)
    var metrics = [
      Metric("policy/approxkl_avg", 0.5 * squares / n), Metric("policy/clipfrac_avg", clipped / n),
      Metric("loss/policy_avg", policyLoss / n), Metric("loss/value_avg", valueLoss / n),
      Metric("val/clipfrac_avg", valuesClipped / n), Metric("policy/entropy_avg", entropy / n),
      Metric("val/ratio", mean), Metric("val/ratio_var", variance),
      Metric("val/first_ratio_deviation", firstDeviation ?? 0),
    ]
    if c.importanceLimit > 0 { metrics.append(Metric("sampling/importance_sampling_ratio/mean", importance / n)) }
    return metrics
  }
}

import NablaTensor

// The terms of policy-gradient objectives as plain functions of tensors. Classic PPO and PPO on language models share
// them. Each returns one value per row, so that the caller decides how to average.

/// r = π(a|s) / π_old(a|s), from logarithms. Any shape.
public func probabilityRatio(_ logProbabilities: Tensor, old: Tensor) -> Tensor { (logProbabilities - old).exp() }

/// The clipped surrogate objective of PPO, to be maximized (Schulman et al. 2017, equation 7):
///
///     min(r·Â, clip(r, 1 - ε, 1 + ε)·Â)
///
/// A ratio beyond the clip range in the favorable direction gains nothing more; a ratio that moved in the wrong
/// direction still counts in full.
///
/// - Parameters:
///   - ratio: r.
///   - advantages: Â, of the same shape.
///   - clipLow: ε below 1.
///   - clipHigh: ε above 1; DAPO's "clip higher" sets it separately (Yu et al. 2025).
public func clippedSurrogate(
  ratio: Tensor, advantages: Tensor, clipLow: Float, clipHigh: Float
) -> Tensor {
  .minimum(ratio * advantages, ratio.clamped(to: (1 - clipLow)...(1 + clipHigh)) * advantages)
}

/// The squared error of a value function, (V - R)².
///
/// - Parameters:
///   - values: V. Any shape.
///   - returns: R, the targets of V.
///   - oldValues: V when the actions were taken; used only with a clip range.
///   - clipRange: With a range ε_V > 0, the larger of the error and of that of V clipped to V_old ± ε_V (Schulman et
///     al., OpenAI baselines); 0 for the plain error.
public func valueLoss(values: Tensor, returns: Tensor, oldValues: Tensor? = nil, clipRange: Float = 0) -> Tensor {
  let error = (values - returns).square()
  guard clipRange > 0 else { return error }
  guard let oldValues else { preconditionFailure("valueLoss: a clip range requires the old values") }
  let clipped = oldValues + (values - oldValues).clamped(to: -clipRange...clipRange)
  return .maximum(error, (clipped - returns).square())
}

/// The entropy of a categorical distribution, -Σ p ln p, in nats. logits: [..., A] → [...].
public func categoricalEntropy(_ logits: Tensor) -> Tensor {
  let logProbabilities = logits.logSoftmax()
  return -(logProbabilities.exp() * logProbabilities).sum(axis: logits.rank - 1)
}

/// Values minus their mean, divided by the sample standard deviation √(σ² + 10⁻⁸): [n] → [n].
///
/// - Parameters:
///   - x: [n], n ≥ 2.
///   - keepsMean: adds the mean back, as for rewards, whose sign is meaningful.
public func whitened(_ x: Tensor, keepsMean: Bool = false) -> Tensor {
  let mean = x.mean()
  let centered = x - mean
  let variance = centered.square().sum() / Tensor(Float(max(x.count - 1, 1)))
  let result = centered / (variance + 1e-8).squareRoot()
  return keepsMean ? result + mean : result
}

/// min(π_old(a|s) / π_sampler(a|s), C) for samples drawn with rounded weights: multiplied into the surrogate, they give
/// it the expectation under samples from π_old, except for ratios truncated at C (Ionides 2008; Yao et al. 2025). No
/// gradient.
public func truncatedImportanceWeights(old: Tensor, sampler: Tensor, limit: Float = 2) -> Tensor {
  withoutGradient { .minimum((old - sampler).exp(), Tensor(limit)) }
}

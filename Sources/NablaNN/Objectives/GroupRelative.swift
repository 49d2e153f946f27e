import NablaTensor

// GRPO (Shao et al. 2024): no value network. G completions of one prompt are sampled, and each is compared with
// the others of its group. Tokens of all completions are concatenated without padding: [n] with n = Σ lengths.

/// What the distance from a group's mean is divided by.
public enum RewardScaling: String, Sendable, Codable, CaseIterable {
  /// The group's standard deviation. Groups with little spread then weigh as much as others.
  case group
  /// That of all rewards.
  case batch
  /// Nothing (Dr. GRPO, Liu et al. 2025).
  case none
}

/// Advantages of groups: Â = (r - mean of the group) / (standard deviation + ε), with the sample standard deviation
/// (divided by G - 1).
///
/// A group whose rewards are all equal carries no information: its advantages are 0.
///
/// - Parameters:
///   - rewards: of `groupSize` completions a prompt, prompt after prompt: [N].
///   - groupSize: G, which divides N.
///   - scaling: the standard deviation that advantages are divided by: the group's, the batch's or none.
///   - epsilon: ε.
/// - Returns: the advantages [N], and how many groups had equal rewards.
public func groupAdvantages(
  _ rewards: [Double], groupSize: Int, scaling: RewardScaling = .group, epsilon: Double = 1e-4
) -> (advantages: [Float], groupsWithoutVariance: Int) {
  precondition(
    groupSize > 0 && rewards.count % groupSize == 0,
    "groupAdvantages: \(rewards.count) rewards are not whole groups of \(groupSize)")
  func deviation(_ values: ArraySlice<Double>) -> Double {
    guard values.count > 1 else { return 0 }
    let mean = values.reduce(0, +) / Double(values.count)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(values.count - 1)).squareRoot()
  }
  let overall = deviation(rewards[...])
  var advantages: [Float] = []
  var silent = 0
  for start in stride(from: 0, to: rewards.count, by: groupSize) {
    let group = rewards[start..<start + groupSize]
    guard group.contains(where: { $0 != group[start] }) else {
      silent += 1
      advantages += [Float](repeating: 0, count: groupSize)
      continue
    }
    let mean = group.reduce(0, +) / Double(groupSize)
    let scale =
      switch scaling {
      case .group: deviation(group) + epsilon
      case .batch: overall + epsilon
      case .none: 1.0
      }
    advantages += group.map { Float(($0 - mean) / scale) }
  }
  return (advantages, silent)
}

/// How token losses are aggregated, under TRL's names. Each is a weighted sum of tokens, so that
/// micro-batches add up to the same result.
public enum TokenAggregation: String, Sendable, Codable, CaseIterable {
  /// The mean over completions of their means: a token of a long completion weighs less.
  case grpo
  /// The mean over the tokens given (those of one micro-batch, where micro-batches are then averaged).
  case bnpo
  /// The mean over the tokens of the whole batch (Yu et al. 2025).
  case dapo
  /// The sum divided by completions · the maximum length: no weight depends on a length (Liu et al. 2025).
  case drGRPO = "dr_grpo"

  /// The weight of each token, [n], in the batch whose completions have these lengths.
  ///
  /// - Parameters:
  ///   - lengths: the tokens of each completion; n in all.
  ///   - counted: 1 for tokens in the loss, 0 for others (of truncated completions, of tools): [n]; nil for all.
  ///   - maximumLength: the maximum number of tokens of a completion; used by `drGRPO`.
  public func weights(_ lengths: [Int], counted: [Float]? = nil, maximumLength: Int) -> Tensor {
    let n = lengths.reduce(0, +)
    var weights = counted ?? [Float](repeating: 1, count: n)
    precondition(weights.count == n, "token weights: \(weights.count) marks for \(n) tokens")
    let total = max(weights.reduce(0) { $0 + Double($1) }, 1)
    var start = 0
    for length in lengths {
      let own = max(weights[start..<start + length].reduce(0) { $0 + Double($1) }, 1)
      let divisor =
        switch self {
        case .grpo: own * Double(lengths.count)
        case .bnpo, .dapo: total
        case .drGRPO: Double(lengths.count) * Double(maximumLength)
        }
      for i in start..<start + length { weights[i] /= Float(divisor) }
      start += length
    }
    return Tensor(weights)
  }
}

/// Whether probabilities are compared token by token or completion by completion, under TRL's names.
public enum ImportanceSampling: String, Sendable, Codable, CaseIterable {
  case token
  /// The geometric mean over a completion's tokens (GSPO, Zheng et al. 2025).
  case sequence

  /// ln π/π_old of each token: [n].
  public func logRatios(_ logProbabilities: Tensor, old: Tensor, lengths: [Int]) -> Tensor {
    let ratios = logProbabilities - old.stopGradient()
    return switch self {
    case .token: ratios
    case .sequence: ratios.segmentMeans(lengths).repeated(lengths)
    }
  }
}

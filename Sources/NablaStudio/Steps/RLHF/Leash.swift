import Glibc

extension RLHFStep {
  /// What the optimum of reward minus β·KL does with eight completions: π ∝ π_ref·exp(r/β) (Rafailov et al. 2023,
  /// equation 4).
  struct Leash: Encodable {
    var names: [String]
    var rewards: [Double]
    var reference: [Double]
    var policy: [Double]
    var reward: Double
    /// KL(π ‖ π_ref), nats.
    var divergence: Double
    /// The same for every β: the frontier.
    var divergences: [Double]
    var frontier: [Double]
  }

  /// Completions of our own, with the reward of somebody who likes politeness too much, and how often the reference
  /// model writes each.
  static let completions: [(name: String, reward: Double, probability: Double)] = [
    ("a plain answer", 1.0, 0.34), ("a short answer", 0.8, 0.22), ("an answer with an example", 1.6, 0.14),
    ("a wrong answer", -1.0, 0.12), ("an apology", 0.2, 0.08), ("a polite answer", 1.8, 0.06),
    ("a refusal", -0.5, 0.035), ("thanks, thanks, thanks", 3.0, 0.005),
  ]

  static func optimum(beta: Double) -> (policy: [Double], reward: Double, divergence: Double) {
    let largest = completions.map(\.reward).max()!
    let weights = completions.map { $0.probability * exp(($0.reward - largest) / beta) }
    let total = weights.reduce(0, +)
    let policy = weights.map { $0 / total }
    let reward = zip(policy, completions).reduce(0) { $0 + $1.0 * $1.1.reward }
    var divergence = 0.0
    for (p, completion) in zip(policy, completions) where p > 0 { divergence += p * log(p / completion.probability) }
    return (policy, reward, divergence)
  }

  static let leash = Computation.answer("leash") { query, _ in
    let beta = try query.number("beta", in: 0.02...10, default: 0.5)
    let best = optimum(beta: beta)
    let others = (-17...10).map { optimum(beta: pow(10, Double($0) / 10)) }
    return Leash(
      names: completions.map(\.name), rewards: completions.map(\.reward), reference: completions.map(\.probability),
      policy: best.policy, reward: best.reward, divergence: best.divergence, divergences: others.map(\.divergence),
      frontier: others.map(\.reward))
  }
}

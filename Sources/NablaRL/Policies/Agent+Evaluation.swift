import NablaTensor

/// The results of an agent over some episodes.
public struct PolicyEvaluation: Sendable, Codable, Hashable {
  /// The sum of rewards of each episode.
  public var returns: [Double]
  /// Steps of each episode.
  public var lengths: [Int]

  public var meanReturn: Double { returns.reduce(0, +) / Double(max(returns.count, 1)) }
  public var meanLength: Double { Double(lengths.reduce(0, +)) / Double(max(lengths.count, 1)) }
  /// Of the returns, over episodes.
  public var standardDeviation: Double {
    let mean = meanReturn
    return (returns.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(returns.count, 1))).squareRoot()
  }
}

extension Agent {
  /// Runs whole episodes, one in each of the environments: every episode counts the same, however long.
  ///
  /// - Parameters:
  ///   - environments: reset with `seed`.
  ///   - seed: of the episodes and of drawn actions.
  ///   - greedily: take the most likely action instead of drawing one.
  /// - Throws: ``EnvironmentError``.
  public func evaluate(_ environments: VectorEnvironment, seed: UInt64, greedily: Bool = true) throws
    -> PolicyEvaluation
  {
    var random = RandomSource(seed: seed)
    try environments.reset(seed: seed)
    var results: [Int: VectorEnvironment.FinishedEpisode] = [:]
    while results.count < environments.count {
      try act(in: environments, random: &random, greedily: greedily)
      for episode in environments.finished where results[episode.environment] == nil {
        results[episode.environment] = episode
      }
    }
    let episodes = (0..<environments.count).map { results[$0]! }
    return PolicyEvaluation(returns: episodes.map(\.return), lengths: episodes.map(\.length))
  }

  /// Runs whole episodes of a built-in environment.
  public func evaluate(
    _ environment: EnvironmentDescription, episodes: Int, seed: UInt64, greedily: Bool = true
  ) throws -> PolicyEvaluation {
    try evaluate(environment.make(count: episodes), seed: seed, greedily: greedily)
  }
}

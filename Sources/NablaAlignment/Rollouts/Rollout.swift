/// A completion that a model sampled for a prompt.
public struct Rollout: Codable, Sendable, Equatable {
  /// The index of the prompt in its data.
  public var prompt: Int
  public var promptTokens: [Int32]
  /// The sampled tokens; the last is the end token, unless the completion was truncated.
  public var tokens: [Int32]
  /// ln of the probability that each token was drawn with, at the sampling temperature.
  public var samplerLogProbabilities: [Float]
  /// Whether the completion was cut off at its maximum length.
  public var isTruncated: Bool
  /// The completion without its end token.
  public var text: String
  /// The weighted sum of the reward functions.
  public var reward = 0.0

  public init(
    prompt: Int, promptTokens: [Int32], tokens: [Int32], samplerLogProbabilities: [Float], isTruncated: Bool,
    text: String, reward: Double = 0
  ) {
    precondition(
      !promptTokens.isEmpty && !tokens.isEmpty && tokens.count == samplerLogProbabilities.count,
      "Rollout: \(promptTokens.count) prompt tokens, \(tokens.count) tokens, \(samplerLogProbabilities.count) of them "
        + "with log-probabilities")
    (self.prompt, self.promptTokens, self.tokens) = (prompt, promptTokens, tokens)
    (self.samplerLogProbabilities, self.isTruncated) = (samplerLogProbabilities, isTruncated)
    (self.text, self.reward) = (text, reward)
  }
}

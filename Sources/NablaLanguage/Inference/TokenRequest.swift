import NablaTensor

/// Changes the logits of the next token before it is sampled: -∞ forbids a token, an added bias makes it more or
/// less likely. The tokens are those of the prompt and of the completion so far. Called on any thread.
///
/// ```swift
/// request.logitHook = { logits, tokens in if tokens.last == comma { logits[comma] = -.infinity } }
/// ```
public typealias LogitHook = @Sendable (_ logits: inout Logits, _ tokens: [Int32]) -> Void

/// A prompt of tokens, and generation options.
public struct TokenRequest: Sendable {
  public var prompt: [Int32]
  public var maximumTokens: Int
  public var sampling: SamplingOptions
  /// Tokens that end the completion.
  public var stopTokens: Set<Int32>
  /// The random stream of sampling: the same stream and prompt give the same completion, whatever else is generated.
  public var random: RandomSource
  /// Report the model's own log-probabilities: of the sampled tokens, and of this many of the most likely ones. Nil
  /// for none.
  public var logProbabilities: Int?
  /// Applied before the penalties, and after the model's own log-probabilities have been recorded.
  public var logitHook: LogitHook?

  public init(
    prompt: [Int32], maximumTokens: Int = 256, sampling: SamplingOptions = .init(), stopTokens: Set<Int32> = [],
    random: RandomSource, logProbabilities: Int? = nil, logitHook: LogitHook? = nil
  ) {
    (self.prompt, self.maximumTokens, self.sampling) = (prompt, maximumTokens, sampling)
    (self.stopTokens, self.random, self.logProbabilities) = (stopTokens, random, logProbabilities)
    self.logitHook = logitHook
  }
}

/// One token of a completion.
public struct GeneratedToken: Sendable {
  public let token: Int32
  /// ln of the model's probability of the token, before hook, penalties, temperature and truncation; nil if not
  /// requested.
  public let logProbability: Float?
  /// ln of the probability with which the token was drawn: after hook, penalties, temperature and truncation. 0 in
  /// greedy decoding.
  public let samplingLogProbability: Float
  /// The model's most likely tokens, in descending order.
  public let best: [(token: Int32, logProbability: Float)]
}

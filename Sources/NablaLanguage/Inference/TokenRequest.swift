import NablaTensor

/// Changes the logits of the next token before it is chosen: -∞ forbids a token, a sum makes it likelier or less
/// likely. The tokens are those of the prompt and of the continuation so far. Called on any thread.
///
/// ```swift
/// request.logitHook = { logits, tokens in if tokens.last == comma { logits[comma] = -.infinity } }
/// ```
public typealias LogitHook = @Sendable (_ logits: inout Logits, _ tokens: [Int32]) -> Void

/// A prompt of tokens, and how to continue it.
public struct TokenRequest: Sendable {
  public var prompt: [Int32]
  public var maximumTokens: Int
  public var sampling: SamplingOptions
  /// Tokens that end the continuation.
  public var stopTokens: Set<Int32>
  /// The stream of the choices: the same for the same prompt gives the same continuation, whatever else is generated.
  public var random: RandomSource
  /// Report the model's own log-probabilities: of the chosen tokens, and of this many of the best beside them. Nil for
  /// none.
  public var logProbabilities: Int?
  /// Comes before the penalties, and after the model's own log-probabilities have been taken.
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

/// One token of a continuation.
public struct GeneratedToken: Sendable {
  public let token: Int32
  /// ln of the model's probability of the token, before hook, penalties, temperature and truncation; nil if not asked
  /// for.
  public let logProbability: Float?
  /// ln of the probability with which the token was drawn: after hook, penalties, temperature and truncation. 0 where
  /// the best token is taken.
  public let samplingLogProbability: Float
  /// The likeliest tokens by the model, the best first.
  public let best: [(token: Int32, logProbability: Float)]
}

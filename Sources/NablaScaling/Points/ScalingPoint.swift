/// One training run: how large the model was, how long it was trained, what loss it reached.
public struct ScalingPoint: Sendable, Hashable {
  /// N.
  public var parameters: Double
  /// D: all tokens of the training, repeated ones counted each time.
  public var tokens: Double
  /// In nats a token, on text that was not trained on.
  public var loss: Double
  /// How many of the tokens are different, where the text was repeated.
  public var uniqueTokens: Double?
  /// What else the table holds, by column, as it was written.
  public var extra: [String: String]

  public init(
    parameters: Double, tokens: Double, loss: Double, uniqueTokens: Double? = nil, extra: [String: String] = [:]
  ) {
    self.parameters = parameters
    self.tokens = tokens
    self.loss = loss
    self.uniqueTokens = uniqueTokens
    self.extra = extra
  }

  /// C = 6ND, in FLOP.
  public var compute: Double { 6 * parameters * tokens }
}

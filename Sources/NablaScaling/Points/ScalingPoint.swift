/// One training run: the model's size, its training tokens, and its loss.
public struct ScalingPoint: Sendable, Hashable {
  /// N.
  public var parameters: Double
  /// D: all training tokens, repeated ones counted each time.
  public var tokens: Double
  /// In nats per token, on held-out text.
  public var loss: Double
  /// The number of unique tokens, if data were repeated.
  public var uniqueTokens: Double?
  /// The other columns of the table, unchanged.
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

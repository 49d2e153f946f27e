import Glibc

/// What a law predicts for a run before it is trained.
public struct SweepPrediction: Sendable, Codable, Hashable {
  public var parameters: Double
  public var tokens: Double
  public var loss: Double
  /// The 95 % prediction interval of the loss.
  public var lowerBound: Double
  public var upperBound: Double
  /// The compute of the run over the largest that the law was fitted to.
  public var leap: Double

  public var interval: ClosedRange<Double> { lowerBound...upperBound }
  public var compute: Double { 6 * parameters * tokens }

  public init(_ fit: ChinchillaFit, _ bootstrap: ChinchillaBootstrap, parameters: Double, tokens: Double) {
    (self.parameters, self.tokens) = (parameters, tokens)
    loss = fit.law.loss(parameters: parameters, tokens: tokens)
    let interval = bootstrap.predictionInterval(parameters: parameters, tokens: tokens)
    (lowerBound, upperBound) = (interval.lowerBound, interval.upperBound)
    leap = 6 * parameters * tokens / fit.points.map(\.compute).max()!
  }
}

/// The prediction for a run before it was trained, and the outcome.
public struct SweepOutcome: Sendable, Hashable {
  public var prediction: SweepPrediction
  public var loss: Double

  public init(_ prediction: SweepPrediction, loss: Double) { (self.prediction, self.loss) = (prediction, loss) }

  /// Loss divided by prediction, minus 1.
  public var error: Double { loss / prediction.loss - 1 }
  public var isInside: Bool { prediction.interval.contains(loss) }
  /// How far outside the interval the loss is, in nats; 0 inside.
  public var miss: Double { max(0, prediction.lowerBound - loss, loss - prediction.upperBound) }
}

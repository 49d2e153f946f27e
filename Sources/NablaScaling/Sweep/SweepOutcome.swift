/// The prediction for a run before training, and its outcome.
public struct SweepOutcome: Sendable {
  public var prediction: Double
  /// The 95 % prediction interval of the loss.
  public var interval: ClosedRange<Double>
  /// The compute of the run over the largest that the law was fitted to.
  public var leap: Double
  public var loss: Double

  /// - Parameter run: With the loss it reached; it must not be among the points of the fit.
  public init(_ fit: ChinchillaFit, _ bootstrap: ChinchillaBootstrap, run: ScalingPoint) {
    prediction = fit.law.loss(parameters: run.parameters, tokens: run.tokens)
    interval = bootstrap.predictionInterval(parameters: run.parameters, tokens: run.tokens)
    leap = run.compute / fit.points.map(\.compute).max()!
    loss = run.loss
  }

  /// Loss over prediction, minus 1.
  public var error: Double { loss / prediction - 1 }
  public var isInside: Bool { interval.contains(loss) }
  /// The distance of the loss outside the interval, in nats; 0 inside.
  public var miss: Double { max(0, interval.lowerBound - loss, loss - interval.upperBound) }
}

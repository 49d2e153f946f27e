/// What was predicted for a run before it was trained, and what came of it.
public struct SweepOutcome: Sendable {
  public var prediction: Double
  /// Where the loss should lie in 95 of 100 cases.
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

  /// Loss over prediction, less 1.
  public var error: Double { loss / prediction - 1 }
  public var isInside: Bool { interval.contains(loss) }
  /// How far outside the interval the loss is, in nats; 0 inside.
  public var miss: Double { max(0, interval.lowerBound - loss, loss - interval.upperBound) }
}

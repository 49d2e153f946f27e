import Glibc

/// How well a law fitted to the smaller runs predicts the loss of the largest: the purpose of a scaling law.
public struct HoldOut: Sendable {
  public struct Prediction: Sendable {
    public var point: ScalingPoint
    public var predicted: Double
    /// The 95 % prediction interval of the loss.
    public var interval: ClosedRange<Double>
    /// Predicted over true, minus 1.
    public var error: Double { predicted / point.loss - 1 }
    public var isInside: Bool { interval.contains(point.loss) }
  }

  /// Fitted without the runs in `predictions`.
  public var law: Chinchilla
  /// The largest compute that it was fitted to.
  public var largestCompute: Double
  /// By compute, ascending.
  public var predictions: [Prediction]

  public var meanAbsoluteError: Double {
    predictions.reduce(0) { $0 + abs($1.error) } / Double(predictions.count)
  }

  /// Holds out the `count` runs of the largest compute.
  ///
  /// - Throws: ``PointError`` when too few are left.
  public init(
    _ points: [ScalingPoint], leavingOut count: Int, from grid: StartGrid = .hoffmann, samples: Int = 1_000
  ) throws(PointError) {
    precondition(count >= 1 && count <= points.count, "HoldOut: cannot hold out \(count) of \(points.count) points")
    let sorted = points.sorted { $0.compute < $1.compute }
    let kept = Array(sorted.dropLast(count))
    let fit = try ChinchillaFit(kept, from: grid)
    let bootstrap = fit.bootstrap(samples: samples)
    law = fit.law
    largestCompute = kept.last!.compute
    predictions = sorted.suffix(count).map { point in
      Prediction(
        point: point, predicted: fit.law.loss(parameters: point.parameters, tokens: point.tokens),
        interval: bootstrap.predictionInterval(parameters: point.parameters, tokens: point.tokens))
    }
  }
}

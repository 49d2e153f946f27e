import NablaTensor

/// The results of training over several seeds: with few of them, the spread is as important as the mean (Agarwal et al.
/// 2021, "Deep reinforcement learning at the edge of the statistical precipice").
public struct SeedStatistics: Sendable, Equatable {
  /// One value per seed, ascending.
  public let values: [Double]

  /// - Parameter values: At least one, all finite.
  public init(_ values: [Double]) {
    precondition(!values.isEmpty && values.allSatisfy(\.isFinite), "SeedStatistics: no values, or a non-finite one")
    self.values = values.sorted()
  }

  public var mean: Double { values.reduce(0) { $0 + $1 / Double(values.count) } }
  public var median: Double { quantile(0.5) }
  /// The interquartile mean: without the lowest and the highest quarter of the values, rounded down to whole
  /// values. Agarwal et al. recommend it, since one outlier hardly affects it.
  public var interquartileMean: Double {
    let cut = values.count / 4
    let kept = values[cut..<values.count - cut]
    return kept.reduce(0) { $0 + $1 / Double(kept.count) }
  }
  /// The interquartile range of the seeds.
  public var interquartileRange: ClosedRange<Double> { quantile(0.25)...quantile(0.75) }

  /// Interpolates linearly between the nearest values, like NumPy.
  public func quantile(_ share: Double) -> Double {
    let place = share * Double(values.count - 1)
    let (below, above) = (Int(place.rounded(.down)), Int(place.rounded(.up)))
    return values[below] + (values[above] - values[below]) * (place - Double(below))
  }

  /// The 95 % confidence interval of the mean: the middle 95 % of the means of 10,000 samples drawn from the
  /// values with replacement (Efron 1979, the percentile bootstrap). Always the same for the same values. One
  /// value gives no interval.
  public var meanInterval: ClosedRange<Double>? {
    guard values.count > 1 else { return nil }
    var random = RandomSource(seed: 1)
    let means = (0..<10_000).map { _ in
      (0..<values.count).reduce(0.0) { sum, _ in sum + values[Int.random(in: 0..<values.count, using: &random)] }
        / Double(values.count)
    }
    let sorted = SeedStatistics(means)
    return sorted.quantile(0.025)...sorted.quantile(0.975)
  }
}

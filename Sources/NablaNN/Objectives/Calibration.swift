/// How well predicted probabilities agree with outcomes: predictions in bins of equal width, and in each the mean
/// prediction and the fraction of events that occurred.
///
/// For a preference model: the prediction is σ(z), and the event is that the predicted completion is the chosen one.
public struct Calibration: Sendable, Equatable {
  public struct Bin: Sendable, Equatable {
    public var count = 0
    /// Mean predicted probability, and fraction of events; 0 in an empty bin.
    public var predicted = 0.0, observed = 0.0
  }

  /// Over [0, 1), the last with 1.
  public let bins: [Bin]

  /// - Parameters:
  ///   - probabilities: the model's predictions, in 0...1.
  ///   - outcomes: whether each event occurred.
  ///   - binCount: the number of equal bins that 0...1 is divided into.
  public init(probabilities: [Double], outcomes: [Bool], bins binCount: Int = 10) {
    precondition(
      probabilities.count == outcomes.count && binCount > 0,
      "Calibration: \(probabilities.count) probabilities for \(outcomes.count) outcomes in \(binCount) bins")
    var bins = [Bin](repeating: Bin(), count: binCount)
    for (p, outcome) in zip(probabilities, outcomes) {
      precondition(p >= 0 && p <= 1, "Calibration: \(p) is not a probability")
      let b = min(Int(p * Double(binCount)), binCount - 1)
      bins[b].count += 1
      bins[b].predicted += p
      bins[b].observed += outcome ? 1 : 0
    }
    for b in bins.indices where bins[b].count > 0 {
      bins[b].predicted /= Double(bins[b].count)
      bins[b].observed /= Double(bins[b].count)
    }
    self.bins = bins
  }

  /// Σ (count/n)·|observed - predicted| (Naeini et al. 2015).
  public var expectedError: Double {
    let n = bins.reduce(0) { $0 + $1.count }
    return bins.reduce(0) { $0 + Double($1.count) * abs($1.observed - $1.predicted) } / Double(max(n, 1))
  }
}

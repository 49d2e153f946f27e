/// How well predicted probabilities agree with what happened: predictions in bins of equal width, and in each the mean
/// prediction beside the share of events that came true.
///
/// Of a preference model: the prediction is σ(z), the event that the completion people chose is the one predicted.
public struct Calibration: Sendable, Equatable {
  public struct Bin: Sendable, Equatable {
    public var count = 0
    /// Mean predicted probability, and share of events; 0 in an empty bin.
    public var predicted = 0.0, observed = 0.0
  }

  /// Over [0, 1), the last with 1.
  public let bins: [Bin]

  /// - Parameters:
  ///   - probabilities: in 0...1; the model's that an event happens.
  ///   - outcomes: whether each did.
  public init(probabilities: [Double], outcomes: [Bool], bins binCount: Int = 10) {
    precondition(
      probabilities.count == outcomes.count && binCount > 0,
      "Calibration: \(probabilities.count) probabilities for \(outcomes.count) outcomes in \(binCount) bins")
    var bins = [Bin](repeating: Bin(), count: binCount)
    for (p, outcome) in zip(probabilities, outcomes) {
      precondition(p >= 0 && p <= 1, "Calibration: \(p) is no probability")
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

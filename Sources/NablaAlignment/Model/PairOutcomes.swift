import Glibc
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

/// A preference model's rewards of pairs, and the metrics from them.
struct PairOutcomes: Sendable {
  /// Rewards, implicit (β·ln π/π_ref) or a reward model's.
  var chosen: [Float] = []
  var rejected: [Float] = []
  var chosenLogProbabilities: [Float] = []
  var rejectedLogProbabilities: [Float] = []

  var count: Int { chosen.count }

  init() {}

  /// Of a reward model.
  init(chosen: [Float], rejected: [Float]) { (self.chosen, self.rejected) = (chosen, rejected) }

  /// Of a policy and its reference.
  init(_ values: PreferenceLogProbabilities, beta: Tensor) {
    let rewards = values.implicitRewards(beta: beta)
    (chosen, rejected) = (rewards.chosen.array(), rewards.rejected.array())
    chosenLogProbabilities = values.chosen.stopGradient().array()
    rejectedLogProbabilities = values.rejected.stopGradient().array()
  }

  mutating func append(_ other: PairOutcomes) {
    chosen += other.chosen
    rejected += other.rejected
    chosenLogProbabilities += other.chosenLogProbabilities
    rejectedLogProbabilities += other.rejectedLogProbabilities
  }

  private func mean(_ values: [Float]) -> Double {
    values.reduce(0) { $0 + Double($1) } / Double(max(values.count, 1))
  }

  /// The fraction of pairs whose chosen completion has the larger reward; equal ones count as wrong.
  var accuracy: Double { Double(zip(chosen, rejected).count { $0 > $1 }) / Double(max(count, 1)) }
  var margin: Double { mean(zip(chosen, rejected).map { $0 - $1 }) }

  /// The calibration of σ(margin) as the probability of the choice. Each pair is counted in both orders,
  /// since the order is arbitrary.
  var calibration: Calibration {
    let p = zip(chosen, rejected).map { 1 / (1 + exp(-Double($0 - $1))) }
    return Calibration(
      probabilities: p + p.map { 1 - $0 },
      outcomes: Array(repeating: true, count: count) + Array(repeating: false, count: count))
  }

  /// Under TRL's names.
  func metrics(prefix: String = "") -> [Metric] {
    var metrics = [
      Metric("\(prefix)rewards/chosen", mean(chosen)), Metric("\(prefix)rewards/rejected", mean(rejected)),
      Metric("\(prefix)rewards/accuracies", accuracy), Metric("\(prefix)rewards/margins", margin),
    ]
    if !chosenLogProbabilities.isEmpty {
      metrics += [
        Metric("\(prefix)logps/chosen", mean(chosenLogProbabilities)),
        Metric("\(prefix)logps/rejected", mean(rejectedLogProbabilities)),
      ]
    }
    return metrics
  }
}

extension TuningData {
  /// The pairs that fit the maximum length, for training and held out.
  ///
  /// - Parameter isUsed: which of them the trainer can use.
  /// - Throws: ``AlignmentError`` if the rows are not pairs, or none is left.
  func pairs(
    _ c: TuningConfiguration, where isUsed: (EncodedPair) -> Bool = { _ in true }
  ) throws -> (training: [EncodedPair], heldOut: [EncodedPair]) {
    if let first = training.first, first.shape != .preference {
      throw AlignmentError.shape(
        place: first.place, found: first.shape, needed: "pairs: the columns \"chosen\" and \"rejected\"")
    }
    let pairs = try encoder.encodePairs(training).elements.filter(isUsed)
    guard !pairs.isEmpty else {
      throw AlignmentError.noRows(
        files: description.files, reason: "the training rows are longer than the maximum length")
    }
    return (pairs, try Array(encoder.encodePairs(heldOut).elements.filter(isUsed).prefix(c.evaluationRows)))
  }
}

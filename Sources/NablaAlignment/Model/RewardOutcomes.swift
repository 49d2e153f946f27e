import Glibc
import NablaFormats
import NablaText
import NablaTraining

extension PairOutcomes {
  /// By the names of TRL's reward trainer.
  func rewardMetrics(prefix: String = "") -> [Metric] {
    let all = (chosen + rejected).map(Double.init)
    return [
      Metric("\(prefix)accuracy", accuracy), Metric("\(prefix)margin", margin),
      Metric("\(prefix)min_reward", all.min() ?? 0), Metric("\(prefix)max_reward", all.max() ?? 0),
      Metric("\(prefix)mean_reward", all.reduce(0, +) / Double(max(all.count, 1))),
    ]
  }

  /// The 95 % interval of the accuracy by Wilson (1927), which is valid for few pairs and for proportions near 1.
  var accuracyInterval: ClosedRange<Double> {
    let (n, p, z) = (Double(max(count, 1)), accuracy, 1.959964)
    let center = (p + z * z / (2 * n)) / (1 + z * z / n)
    let half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    return max(center - half, 0)...min(center + half, 1)
  }

  /// The calibration curve in words: one line a bin above one half, which mirrors those below.
  var calibrationTable: String {
    calibration.bins.dropFirst(calibration.bins.count / 2).map { bin in
      bin.count == 0
        ? ""
        : "\(significant(bin.predicted, digits: 3))  \(significant(bin.observed, digits: 3))  of \(bin.count) pairs\n"
    }.joined()
  }
}

extension TuningData {
  /// Pairs that fit the maximum length with their ends, which are what a reward model reads, for training and held out.
  func wholePairs(_ c: TuningConfiguration) throws -> (training: [EncodedPair], heldOut: [EncodedPair]) {
    try pairs(c) { description.truncation == .keepEnd || !($0.chosen.isTruncated || $0.rejected.isTruncated) }
  }

  /// The column `margin`, by how much people prefer the chosen completion, where rows have one.
  ///
  /// - Throws: `DatasetError` where it is no number, or some rows have none.
  func margins() throws -> [DatasetPlace: Float] {
    var margins: [DatasetPlace: Float] = [:]
    let all = training.examples + heldOut.examples
    for example in all {
      guard let value = example.columns["margin"], value != .null else { continue }
      guard let margin = value.double, margin.isFinite else {
        throw DatasetError(example.place, column: "margin", problem: "expected a number")
      }
      margins[example.place] = Float(margin)
    }
    if !margins.isEmpty, let missing = all.first(where: { margins[$0.place] == nil }) {
      throw DatasetError(missing.place, column: "margin", problem: "is missing, but other rows have it")
    }
    return margins
  }
}

import Foundation

/// The figures of every round of both sides of a row.
struct Measurement {
  let row: Row
  var peer: [[String: Double]] = []
  var nabla: [[String: Double]] = []

  /// The row's lines of the Markdown table: medians of both sides, and how many times better Nabla's is.
  var markdown: String {
    row.metrics.map { metric in
      let theirs = median(peer.compactMap { $0[metric.key] })
      let ours = median(nabla.compactMap { $0[metric.key] })
      var ratio: Double?
      if let theirs, let ours { ratio = metric.higherIsBetter ? ours / theirs : theirs / ours }
      let cells = [row.work, metric.label, format(theirs), format(ours), ratio.map { format($0) + "×" } ?? "–"]
      return "| " + cells.joined(separator: " | ") + " |"
    }.joined(separator: "\n")
  }

  static let header = "| work | figure | peer | Nabla | Nabla is better by |\n|---|---|---:|---:|---:|"
}

/// The middle value, or the mean of the two middle ones; nil if empty.
func median(_ values: [Double]) -> Double? {
  let sorted = values.sorted()
  guard !sorted.isEmpty else { return nil }
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// Three significant digits, or all digits of the integer part.
func format(_ value: Double?) -> String {
  guard let value else { return "–" }
  let digits = value == 0 ? 0 : max(0, 2 - Int(log10(abs(value)).rounded(.down)))
  return String(format: "%.\(digits)f", value)
}

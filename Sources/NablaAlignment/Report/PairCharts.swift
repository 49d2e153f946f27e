import NablaReport

/// Charts of what is learned from pairs of a chosen and a rejected completion.
extension ComparisonChart {
  /// - Parameters:
  ///   - name: Of a metric with separate values for `chosen` and `rejected`: "rewards".
  static func ofPairs(_ name: String, id: String, title: String, caption: String, axis: String) -> ComparisonChart {
    ComparisonChart(
      id: id, title: title, caption: caption, axis: axis,
      lines: [
        Line("\(name)/chosen", "chosen", color: "accent"), Line("\(name)/rejected", "rejected", color: "second"),
        Line("eval_\(name)/chosen", "chosen, held out", color: "third"),
        Line("eval_\(name)/rejected", "rejected, held out", color: "alert"),
      ], isSmoothed: true)
  }

  static let margins = ComparisonChart(
    id: "margins", title: "Reward margins", caption: "Reward of the chosen completion minus the rejected one's.",
    axis: "margin",
    lines: [
      Line("rewards/margins", "training", color: "accent"), Line("eval_rewards/margins", "held out", color: "second"),
    ], isSmoothed: true)

  static let accuracies = ComparisonChart(
    id: "accuracies", title: "Reward accuracy",
    caption: "Fraction of pairs whose chosen completion has the higher reward.", axis: "fraction",
    lines: [
      Line("rewards/accuracies", "training", color: "accent"),
      Line("eval_rewards/accuracies", "held out", color: "second"),
    ], isSmoothed: true)
}

extension MetricChart {
  static let calibration = MetricChart(
    name: "eval_calibration_error", id: "calibration", title: "Calibration error",
    caption: "Gap between σ(margin) and the fraction of pairs ranked correctly; 0 is best.", axis: "error",
    color: "second")
}

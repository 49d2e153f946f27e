import NablaFormats

/// The loss over the steps: of training, of validation, and the steps that were skipped.
public struct LossChart: Sendable {
  /// What the loss is, as plain text.
  public var caption: String
  /// The title of the y axis.
  public var axis: String

  public init(caption: String = "", axis: String = "loss") { (self.caption, self.axis) = (caption, axis) }

  func chart(_ metrics: RunMetrics) -> ReportChart? {
    let (training, validation) = (metrics["loss"], metrics["validation_loss"])
    if training.isEmpty, validation.isEmpty { return nil }
    var datasets = withSmoothed(training, label: "training", color: "accent")
    if !validation.isEmpty { datasets.append(plainLine(validation, label: "validation", color: "second")) }
    let skips = skipMarks(metrics)
    if !skips.isEmpty {
      datasets.append(
        .init(
          label: "skipped step", data: skips, color: "alert", borderWidth: 2, pointRadius: 6, pointStyle: "crossRot",
          showLine: false, order: -1))
    }
    let aboutSkips = skips.isEmpty ? "" : "Crosses mark skipped steps, which left the weights unchanged."
    return ReportChart(
      id: "chart-loss", title: "Loss",
      caption: [caption, aboutSkips].filter { !$0.isEmpty }.joined(separator: " "), remark: skipList(metrics),
      configuration: ChartConfiguration(datasets: datasets, title: axis),
      hasLogarithmicAxis: (training + validation).allSatisfy { $0.value > 0 })
  }
}

/// The maximum number of skipped steps on a page.
private let skipLimit = 500

/// The skipped steps with their reasons, which are hard to point at in a long run.
private func skipList(_ metrics: RunMetrics) -> String {
  if metrics.skips.isEmpty { return "" }
  let items = metrics.skips.prefix(skipLimit).map { skip in
    "<li>Step \(grouped(skip.step)): \(escapedHTML(String(skip.reason.prefix(200))))</li>"
  }
  let count = metrics.skips.count
  let rest = count > skipLimit ? "<li>and \(count - skipLimit) more</li>" : ""
  return "<details><summary>Skipped steps: \(count)</summary><ul tabindex=\"0\">\(items.joined())\(rest)</ul></details>"
}

/// A mark for each skipped step at the height of the trend there.
private func skipMarks(_ metrics: RunMetrics) -> [ChartConfiguration.Point] {
  let trend = metrics["loss"].smoothed(span: smoothingSpan(metrics["loss"].count))
  if trend.isEmpty { return [] }
  var index = 0
  return metrics.skips.prefix(skipLimit).map { skip in
    while index + 1 < trend.count, trend[index + 1].step <= skip.step { index += 1 }
    return .init(x: skip.step, y: trend[index].value.rounded(digits: 6), note: String(skip.reason.prefix(200)))
  }
}

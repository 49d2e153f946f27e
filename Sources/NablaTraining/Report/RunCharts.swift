/// The charts for which a run has numbers: the known metrics, and every other one on a chart of its own.
func runCharts(_ source: ReportSource) -> [ReportChart] {
  let metrics = source.metrics
  let shown = Set(
    (knownMetrics + policyMetrics).map(\.name) + ["loss", "validation_loss", "tokens", "seconds", "time"]
      + ["charts/episodes", "charts/epochs", "charts/seconds"])
  let others = metrics.names.filter { !shown.contains($0) && !isNoiseBand($0) }.prefix(40).enumerated().map {
    index, name in
    MetricChart(
      name: name, id: "other-\(index)", title: name, caption: "", axis: name, color: "accent", isSmoothed: true)
  }
  let isSystem = { (chart: MetricChart) in chart.startsAtZero }
  let known = policyMetrics + knownMetrics
  return [lossChart(source), noiseChart(metrics)].compactMap { $0 }
    + (known.filter { !isSystem($0) } + others + known.filter(isSystem)).compactMap { $0.chart(metrics) }
}

/// How a metric is drawn.
struct MetricChart {
  /// In `metrics.jsonl`.
  var name: String
  var id: String
  var title: String
  var caption: String
  /// The title of the y axis.
  var axis: String
  var format = ChartConfiguration.NumberFormat.plain
  var color: String
  var isSmoothed = false
  var startsAtZero = false

  func chart(_ metrics: RunMetrics) -> ReportChart? {
    let points = metrics[name]
    if points.isEmpty { return nil }
    let datasets =
      isSmoothed
      ? withSmoothed(points, label: axis, color: color) : [plainLine(points, label: axis, color: color)]
    return ReportChart(
      id: "chart-\(id)", title: title, caption: caption,
      configuration: ChartConfiguration(datasets: datasets, title: axis, format: format, startsAtZero: startsAtZero),
      hasLogarithmicAxis: isSmoothed && !startsAtZero && points.allSatisfy { $0.value > 0 })
  }
}

private let knownMetrics = [
  MetricChart(
    name: "validation_bits_per_byte", id: "bits", title: "Validation bits per byte",
    caption: "The loss shared out over the bytes of the text: comparable between tokenizers. Lower is better.",
    axis: "bits per byte", color: "second"),
  MetricChart(
    name: "validation_perplexity", id: "perplexity", title: "Validation perplexity",
    caption: "e to the validation loss: as uncertain as a fair choice among so many tokens. Lower is better.",
    axis: "perplexity", color: "second"),
  MetricChart(
    name: "learning_rate", id: "rate", title: "Learning rate", caption: "The schedule as it was applied.",
    axis: "learning rate", format: .exponential, color: "third"),
  MetricChart(
    name: "gradient_norm", id: "norm", title: "Gradient norm",
    caption: "Length of the whole gradient, before clipping.",
    axis: "L2 norm", color: "third", isSmoothed: true),
  MetricChart(
    name: "tokens_per_second", id: "throughput", title: "Throughput", caption: "Tokens trained on in a second.",
    axis: "tokens/s", format: .scaled, color: "accent", isSmoothed: true, startsAtZero: true),
  MetricChart(
    name: "tflops", id: "flops", title: "Model TFLOP/s",
    caption: "Operations the architecture needs, forward and backward; recomputation does not count.",
    axis: "TFLOP/s", color: "accent", isSmoothed: true, startsAtZero: true),
  MetricChart(
    name: "memory_bytes", id: "memory", title: "Memory", caption: "Bytes in use.", axis: "memory", format: .bytes,
    color: "accent", startsAtZero: true),
]

private func lossChart(_ source: ReportSource) -> ReportChart? {
  let metrics = source.metrics
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
  let isLikelihood = ["pretrain", "sft"].contains(source.command)
  let captions = [
    isLikelihood ? "Mean cross-entropy of the next token, in nats." : nil,
    skips.isEmpty ? nil : "Crosses mark skipped steps, which left the weights as they were.",
  ]
  return ReportChart(
    id: "chart-loss", title: "Loss", caption: captions.compactMap { $0 }.joined(separator: " "),
    remark: skipList(metrics),
    configuration: ChartConfiguration(datasets: datasets, title: isLikelihood ? "nats per token" : "loss"),
    hasLogarithmicAxis: (training + validation).allSatisfy { $0.value > 0 })
}

private func isNoiseBand(_ name: String) -> Bool { name.hasPrefix("validation_loss_noise_") }

/// The loss of a diffusion model by noise level: where it is hard to tell noise from data, and where more training helps.
private func noiseChart(_ metrics: RunMetrics) -> ReportChart? {
  let bands = metrics.names.filter(isNoiseBand).sorted()
  guard bands.count > 1 else { return nil }
  let colors = ["accent", "third", "muted", "second", "alert"]
  let datasets = bands.enumerated().map { index, name in
    let label = index == 0 ? "least noise" : index == bands.count - 1 ? "most noise" : "part \(index + 1)"
    return plainLine(metrics[name], label: label, color: colors[index % colors.count])
  }
  return ReportChart(
    id: "chart-noise", title: "Validation loss by noise level",
    caption: "Equal shares of the noise levels that training draws, from least to most.",
    configuration: ChartConfiguration(datasets: datasets, title: "loss"),
    hasLogarithmicAxis: bands.allSatisfy { metrics[$0].allSatisfy { $0.value > 0 } })
}

/// The points themselves, and above 20 of them their trend: then the points step back.
private func withSmoothed(
  _ points: [RunMetrics.Point], label: String, color: String
) -> [ChartConfiguration.Series] {
  guard points.count > 20 else { return points.isEmpty ? [] : [plainLine(points, label: label, color: color)] }
  let trend = points.smoothed(span: smoothingSpan(points.count))
  return [
    .init(label: label, data: points.chartPoints, color: color, opacity: 0.3, borderWidth: 1, order: 2),
    .init(label: "\(label), smoothed", data: trend.chartPoints, color: color, borderWidth: 2, order: 1),
  ]
}

/// Few points show as dots too, since a line between them would claim more than was measured.
private func plainLine(_ points: [RunMetrics.Point], label: String, color: String) -> ChartConfiguration.Series {
  .init(label: label, data: points.chartPoints, color: color, pointRadius: points.count <= 60 ? 3 : 0)
}

/// About a fiftieth of the run: enough to see the trend, short enough to see where it turns.
private func smoothingSpan(_ count: Int) -> Int { min(1_000, max(5, count / 80)) }

/// The skipped steps with their reasons, which are hard to point at in a long run.
private func skipList(_ metrics: RunMetrics) -> String {
  if metrics.skips.isEmpty { return "" }
  let items = metrics.skips.prefix(skipLimit).map { skip in
    "<li>Step \(grouped(skip.step)): \(escapedHTML(String(skip.reason.prefix(200))))</li>"
  }
  let count = metrics.skips.count
  let rest = count > skipLimit ? "<li>and \(count - skipLimit) more</li>" : ""
  return "<details><summary>Skipped steps: \(count)</summary><ul>\(items.joined())\(rest)</ul></details>"
}

/// The most skipped steps a page shows.
private let skipLimit = 500

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

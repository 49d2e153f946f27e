import Glibc

/// One chart of the page.
struct ReportChart: Encodable {
  var id: String
  var title: String
  var caption: String
  var configuration: ChartConfiguration
  /// Whether the reader may turn the y axis into a logarithmic one.
  var hasLogarithmicAxis = false

  enum CodingKeys: String, CodingKey { case id, configuration }
}

/// Charts of all the metrics over the steps.
func curvesSection(_ source: ReportSource) throws -> ReportSection? {
  let charts = runCharts(source.metrics)
  if charts.isEmpty { return nil }
  let figures = charts.map { chart in
    let toggle =
      chart.hasLogarithmicAxis
      ? #"<label class="scripted"><input type="checkbox" data-logarithmic="\#(chart.id)"> log axis</label>"# : ""
    return """
      <figure class="card"><header><h3>\(escapedHTML(chart.title))</h3>\(toggle)</header>
      <div class="chart"><canvas id="\(chart.id)" role="img" aria-label="\(escapedHTML(chart.title)) over steps"></canvas></div>
      <figcaption>\(escapedHTML(chart.caption))</figcaption></figure>
      """
  }
  return ReportSection(
    id: "curves", title: "Training curves",
    html: """
      <noscript><p class="note">The charts need JavaScript. Their numbers are in metrics.jsonl.</p></noscript>
      <div class="charts">
      \(figures.joined(separator: "\n"))
      </div>
      \(try jsonIsland(id: "curves-data", charts))
      """,
    script: curvesScript, needsCharts: true)
}

/// The charts for which there are numbers: the known metrics first, then every other one on a chart of its own.
private func runCharts(_ metrics: RunMetrics) -> [ReportChart] {
  let known = [lossChart(metrics), bitsChart(metrics), rateChart(metrics), normChart(metrics)].compactMap { $0 }
  let system = [throughputChart(metrics), memoryChart(metrics)].compactMap { $0 }
  let shown: Set = [
    "loss", "validation_loss", "validation_bits_per_byte", "learning_rate", "gradient_norm", "tokens_per_second",
    "tflops", "memory_bytes", "tokens", "seconds", "time",
  ]
  let others = metrics.names.filter { !shown.contains($0) }.prefix(40).enumerated().map { index, name in
    ReportChart(
      id: "chart-other-\(index)", title: name, caption: "",
      configuration: ChartConfiguration(
        datasets: withSmoothed(metrics[name], label: name, color: "accent"), y: (name, .plain)))
  }
  return known + others + system
}

private func lossChart(_ metrics: RunMetrics) -> ReportChart? {
  let (training, validation) = (metrics["loss"], metrics["validation_loss"])
  guard !training.isEmpty || !validation.isEmpty else { return nil }
  var datasets = withSmoothed(training, label: "training", color: "accent")
  if !validation.isEmpty {
    datasets.append(
      .init(
        label: "validation", data: validation.chartPoints, color: "second", pointRadius: markRadius(validation.count)))
  }
  let skips = skipMarks(metrics)
  if !skips.isEmpty {
    datasets.append(
      .init(
        label: "skipped step", data: skips, color: "alert", borderWidth: 2, pointRadius: 6, pointStyle: "crossRot",
        showLine: false, order: -1))
  }
  let skipped = skips.isEmpty ? "" : " Crosses mark steps the spike guard skipped: the weights did not change."
  return ReportChart(
    id: "chart-loss", title: "Loss", caption: "Mean cross-entropy of the next token, in nats.\(skipped)",
    configuration: ChartConfiguration(datasets: datasets, y: ("nats per token", .plain)),
    hasLogarithmicAxis: (training + validation).allSatisfy { $0.value > 0 })
}

private func bitsChart(_ metrics: RunMetrics) -> ReportChart? {
  let points = metrics["validation_bits_per_byte"]
  if points.isEmpty { return nil }
  return ReportChart(
    id: "chart-bits", title: "Validation bits per byte",
    caption: "Loss over the bytes of the text instead of its tokens: comparable between tokenizers. Lower is better.",
    configuration: ChartConfiguration(
      datasets: [
        .init(label: "validation", data: points.chartPoints, color: "second", pointRadius: markRadius(points.count))
      ],
      y: ("bits per byte", .plain)))
}

private func rateChart(_ metrics: RunMetrics) -> ReportChart? {
  let points = metrics["learning_rate"]
  if points.isEmpty { return nil }
  return ReportChart(
    id: "chart-rate", title: "Learning rate", caption: "The schedule as it was applied.",
    configuration: ChartConfiguration(
      datasets: [.init(label: "learning rate", data: points.chartPoints, color: "third")],
      y: ("learning rate", .exponential)))
}

private func normChart(_ metrics: RunMetrics) -> ReportChart? {
  let points = metrics["gradient_norm"]
  if points.isEmpty { return nil }
  return ReportChart(
    id: "chart-norm", title: "Gradient norm", caption: "Length of the whole gradient, before clipping.",
    configuration: ChartConfiguration(
      datasets: withSmoothed(points, label: "gradient norm", color: "third"), y: ("L2 norm", .plain)),
    hasLogarithmicAxis: points.allSatisfy { $0.value > 0 })
}

private func throughputChart(_ metrics: RunMetrics) -> ReportChart? {
  let (tokens, flops) = (metrics["tokens_per_second"], metrics["tflops"])
  let tokenLine = ChartConfiguration.Dataset(label: "tokens/s", data: tokens.chartPoints, color: "accent")
  var flopLine = ChartConfiguration.Dataset(label: "model TFLOP/s", data: flops.chartPoints, color: "second")
  let configuration: ChartConfiguration
  switch (tokens.isEmpty, flops.isEmpty) {
  case (true, true): return nil
  case (false, true): configuration = ChartConfiguration(datasets: [tokenLine], y: ("tokens/s", .scaled))
  case (true, false): configuration = ChartConfiguration(datasets: [flopLine], y: ("TFLOP/s", .plain))
  case (false, false):
    flopLine.yAxisID = "right"
    configuration = ChartConfiguration(
      datasets: [tokenLine, flopLine], y: ("tokens/s", .scaled), right: ("TFLOP/s", .plain))
  }
  return ReportChart(
    id: "chart-throughput", title: "Throughput",
    caption: "Model FLOPs are those the architecture needs, forward and backward; recomputation does not count.",
    configuration: configuration)
}

private func memoryChart(_ metrics: RunMetrics) -> ReportChart? {
  let points = metrics["memory_bytes"]
  if points.isEmpty { return nil }
  return ReportChart(
    id: "chart-memory", title: "Memory", caption: "Bytes in use.",
    configuration: ChartConfiguration(
      datasets: [.init(label: "memory", data: points.chartPoints, color: "accent")], y: ("memory", .bytes)))
}

/// The points themselves, and above 20 of them their trend: then the points step back.
private func withSmoothed(
  _ points: [RunMetrics.Point], label: String, color: String
) -> [ChartConfiguration.Dataset] {
  if points.isEmpty { return [] }
  guard points.count > 20 else {
    return [.init(label: label, data: points.chartPoints, color: color, pointRadius: markRadius(points.count))]
  }
  let trend = points.smoothed(span: smoothingSpan(points.count))
  return [
    .init(label: label, data: points.chartPoints, color: color, opacity: 0.28, borderWidth: 1, order: 2),
    .init(label: "\(label), smoothed", data: trend.chartPoints, color: color, borderWidth: 2, order: 1),
  ]
}

/// A fiftieth of the run: enough to see the trend, short enough to see where it turns.
private func smoothingSpan(_ count: Int) -> Int { min(1_000, max(5, count / 50)) }

/// Few points show as dots, since a line between them would claim more than was measured.
private func markRadius(_ count: Int) -> Double { count <= 60 ? 3 : 0 }

/// A mark for each skipped step, at the height of the trend, or of the nearest loss before it.
private func skipMarks(_ metrics: RunMetrics) -> [ChartConfiguration.Point] {
  let trend = metrics["loss"].smoothed(span: smoothingSpan(metrics["loss"].count))
  if trend.isEmpty { return [] }
  var index = 0
  return metrics.skips.prefix(1_000).map { skip in
    while index + 1 < trend.count, trend[index + 1].step <= skip.step { index += 1 }
    let height = trend[index].value
    return .init(x: skip.step, y: height.rounded(digits: 6), note: String(skip.reason.prefix(200)))
  }
}

extension Double {
  /// The nearest number with so many significant decimal digits.
  func rounded(digits: Int) -> Double {
    guard isFinite, self != 0 else { return self }
    let places = Double(digits - 1) - log10(magnitude).rounded(.down)
    // Beyond these a scale would overflow or round to nothing.
    guard places.magnitude < 290 else { return self }
    // Dividing by a whole power of ten rounds correctly; multiplying by its inverse does not.
    return places >= 0
      ? (self * pow(10, places)).rounded() / pow(10, places) : (self / pow(10, -places)).rounded() * pow(10, -places)
  }
}

/// How a metric is drawn.
public struct MetricChart: Sendable {
  /// In `metrics.jsonl`.
  public var name: String
  public var id: String
  public var title: String
  public var caption: String
  /// The title of the y axis.
  public var axis: String
  public var format = ChartConfiguration.NumberFormat.plain
  /// A color of the page's style: "accent", "second", "third", "alert".
  public var color: String
  /// Whether its trend is drawn too.
  public var isSmoothed = false
  /// For speed and memory, which come after all others.
  public var startsAtZero = false

  public init(
    name: String, id: String, title: String, caption: String, axis: String,
    format: ChartConfiguration.NumberFormat = .plain, color: String, isSmoothed: Bool = false,
    startsAtZero: Bool = false
  ) {
    (self.name, self.id, self.title, self.caption, self.axis) = (name, id, title, caption, axis)
    (self.format, self.color, self.isSmoothed, self.startsAtZero) = (format, color, isSmoothed, startsAtZero)
  }

  /// The chart; nil if the run has no such metric.
  package func chart(_ metrics: RunMetrics) -> ReportChart? {
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

  /// What runs of every kind may have.
  static let general = [
    MetricChart(
      name: "learning_rate", id: "rate", title: "Learning rate", caption: "The schedule as applied.",
      axis: "learning rate", format: .exponential, color: "third"),
    MetricChart(
      name: "gradient_norm", id: "norm", title: "Gradient norm",
      caption: "Global L2 norm of the gradient, before clipping.", axis: "L2 norm", color: "third", isSmoothed: true),
    MetricChart(
      name: "tokens_per_second", id: "throughput", title: "Throughput", caption: "Training tokens per second.",
      axis: "tokens/s", format: .scaled, color: "accent", isSmoothed: true, startsAtZero: true),
    MetricChart(
      name: "tflops", id: "flops", title: "Model TFLOP/s",
      caption: "FLOPs of the forward and backward pass per second; recomputation is not counted.",
      axis: "TFLOP/s", color: "accent", isSmoothed: true, startsAtZero: true),
    MetricChart(
      name: "memory_bytes", id: "memory", title: "Memory", caption: "Bytes in use.", axis: "memory", format: .bytes,
      color: "accent", startsAtZero: true),
  ]
}

/// The points themselves, and above 20 of them their trend: then the points step back.
package func withSmoothed(
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
package func plainLine(_ points: [RunMetrics.Point], label: String, color: String) -> ChartConfiguration.Series {
  .init(label: label, data: points.chartPoints, color: color, pointRadius: points.count <= 60 ? 3 : 0)
}

/// About a fiftieth of the run: enough to see the trend, short enough to see where it turns.
func smoothingSpan(_ count: Int) -> Int { min(1_000, max(5, count / 80)) }

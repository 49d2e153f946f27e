/// Several metrics of one kind on one chart: the rewards of chosen and rejected completions, the loss by noise level.
public struct ComparisonChart: Sendable {
  public struct Line: Sendable {
    /// In `metrics.jsonl`.
    public var name: String
    public var label: String
    /// A color of the page's style.
    public var color: String

    public init(_ name: String, _ label: String, color: String) {
      (self.name, self.label, self.color) = (name, label, color)
    }
  }

  public var id: String
  public var title: String
  public var caption: String
  /// The title of the y axis.
  public var axis: String
  public var lines: [Line]
  public var isSmoothed: Bool

  public init(
    id: String, title: String, caption: String, axis: String, lines: [Line], isSmoothed: Bool = false
  ) {
    (self.id, self.title, self.caption, self.axis) = (id, title, caption, axis)
    (self.lines, self.isSmoothed) = (lines, isSmoothed)
  }

  /// The metrics it shows, which need no charts of their own.
  package var names: [String] { lines.map(\.name) }

  /// The chart; nil if the run has none of its metrics.
  package func chart(_ metrics: RunMetrics) -> ReportChart? {
    let datasets = lines.filter { !metrics[$0.name].isEmpty }.flatMap { line in
      isSmoothed
        ? withSmoothed(metrics[line.name], label: line.label, color: line.color)
        : [plainLine(metrics[line.name], label: line.label, color: line.color)]
    }
    if datasets.isEmpty { return nil }
    return ReportChart(
      id: "chart-\(id)", title: title, caption: caption,
      configuration: ChartConfiguration(datasets: datasets, title: axis),
      hasLogarithmicAxis: names.allSatisfy { metrics[$0].allSatisfy { $0.value > 0 } })
  }
}

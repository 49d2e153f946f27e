extension RunContents {
  /// Charts of all metrics over the steps: the loss, the given ones, those common to all runs, and every other
  /// metric on its own chart; speed and memory come last.
  ///
  /// - Parameters:
  ///   - comparisons: Drawn after the loss.
  ///   - known: How to draw the domain's own metrics.
  ///   - hidden: Names that get no chart: counters.
  package func curvesSection(
    loss: LossChart = LossChart(), comparisons: [ComparisonChart] = [], known: [MetricChart] = [], hidden: [String] = []
  ) -> ReportSection? {
    let known = known + MetricChart.general
    let shown = Set(
      known.map(\.name) + comparisons.flatMap(\.names) + hidden + [
        "loss", "validation_loss", "tokens", "num_tokens", "seconds", "time",
      ])
    let others = metrics.names.filter { !shown.contains($0) }.prefix(40).enumerated().map { index, name in
      MetricChart(
        name: name, id: "other-\(index)", title: name, caption: "", axis: name, color: "accent", isSmoothed: true)
    }
    let (system, learning) = (known.filter(\.startsAtZero), known.filter { !$0.startsAtZero })
    let all =
      [loss.chart(metrics)].compactMap { $0 } + comparisons.compactMap { $0.chart(metrics) }
      + (learning + others + system).compactMap { $0.chart(metrics) }
    return all.isEmpty ? nil : ReportSection(id: "curves", title: "Training curves", charts: all)
  }
}

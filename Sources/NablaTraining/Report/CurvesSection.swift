/// One chart of the page.
struct ReportChart: Encodable {
  var id: String
  var title: String
  var caption: String
  /// More beneath the caption, safe HTML.
  var remark = ""
  var configuration: ChartConfiguration
  /// Whether the reader may turn the y axis into a logarithmic one.
  var hasLogarithmicAxis = false

  /// What the script needs.
  enum CodingKeys: String, CodingKey { case id, configuration }
}

/// Charts of all the metrics over the steps.
func curvesSection(_ source: ReportSource) throws -> ReportSection? {
  let charts = runCharts(source)
  if charts.isEmpty { return nil }
  let figures = charts.map { chart in
    let title = escapedHTML(chart.title)
    let toggle =
      chart.hasLogarithmicAxis
      ? #"<label class="scripted"><input type="checkbox" data-logarithmic="\#(chart.id)"> log axis</label>"# : ""
    return """
      <figure class="card"><header><h3>\(title)</h3>\(toggle)</header>
      <div class="chart"><canvas id="\(chart.id)" role="img" aria-label="\(title) over steps"></canvas></div>
      <figcaption>\(escapedHTML(chart.caption))</figcaption>\(chart.remark)</figure>
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
    script: "const chartsData = \"curves-data\";\n" + curvesScript, needsCharts: true)
}

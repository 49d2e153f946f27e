import NablaFormats

/// Learning curves and results of several seeds, and of several algorithms.
func seedsSection(_ source: ReportSource) throws -> ReportSection? {
  let groups = source.seedGroups
  guard !groups.isEmpty else { return nil }
  let rows = groups.compactMap { group -> String? in
    let results = group.runs.compactMap { $0.metrics[returnMetric].last?.value }
    guard !results.isEmpty else { return nil }
    let s = SeedStatistics(results)
    let quartiles = s.interquartileRange
    let interval = s.meanInterval.map { "\(digits($0.lowerBound)) to \(digits($0.upperBound))" } ?? "–"
    return """
      <tr><td>\(escapedHTML(group.algorithm))</td><td>\(results.count)</td><td>\(digits(s.mean))</td>
      <td>\(interval)</td><td>\(digits(s.interquartileMean))</td><td>\(digits(quartiles.lowerBound)) to \(digits(quartiles.upperBound))</td>
      <td>\(digits(s.values[0]))</td><td>\(digits(s.values[s.values.count - 1]))</td></tr>
      """
  }
  let chart = ReportChart(
    id: "chart-seeds", title: "Learning curve", caption: "", configuration: learningCurves(groups))
  return ReportSection(
    id: "seeds", title: groups.count > 1 ? "Comparison" : "Seeds",
    html: """
      <p>The return is the mean over the last 100 episodes of training. Lines are means over seeds, and the middle half
      of the seeds lies in the bands.</p>
      <figure class="card"><header><h3>Return over environment steps</h3></header>
      <div class="chart"><canvas id="chart-seeds" role="img" aria-label="Return over environment steps"></canvas></div>
      </figure>
      <div class="card wide"><table class="results"><thead><tr><th>algorithm</th><th>seeds</th><th>mean return</th>
      <th>95 % interval of the mean</th><th>interquartile mean</th><th>middle half of the seeds</th><th>worst</th><th>best</th></tr></thead>
      <tbody>\(rows.joined(separator: "\n"))</tbody></table></div>
      <p class="note">At the end of training. The interval is a bootstrap over seeds (10,000 samples, percentiles): with
      few seeds it is too narrow rather than too wide. The interquartile mean leaves out the lowest and the highest
      quarter of the seeds.</p>
      \(try jsonIsland(id: "seeds-data", [chart]))
      """,
    script: "const chartsData = \"seeds-data\";\n" + curvesScript, needsCharts: true)
}

/// The name of the return in `metrics.jsonl`.
let returnMetric = "charts/episodic_return"

private func digits(_ value: Double) -> String { significant(value, digits: 4) }

private func learningCurves(_ groups: [ReportSource.SeedGroup]) -> ChartConfiguration {
  let colors = ["accent", "second", "third", "alert"]
  var datasets: [ChartConfiguration.Series] = []
  for (index, group) in groups.enumerated() {
    let curves = group.runs.map { $0.metrics[returnMetric] }.filter { !$0.isEmpty }
    guard let start = curves.compactMap({ $0.first?.step }).max(), let end = curves.compactMap({ $0.last?.step }).min(),
      start < end
    else { continue }
    let color = colors[index % colors.count]
    let steps = (0...100).map { start + (end - start) * Double($0) / 100 }
    let spread = steps.map { step in SeedStatistics(curves.map { $0.value(at: step) }) }
    func line(_ value: (SeedStatistics) -> Double) -> [ChartConfiguration.Point] {
      zip(steps, spread).map { .init(x: $0.rounded(), y: value($1).rounded(digits: 6), note: nil) }
    }
    datasets.append(.init(label: group.algorithm, data: line(\.mean), color: color, borderWidth: 2.25))
    if curves.count > 1 {
      let range = { (s: SeedStatistics) in s.interquartileRange }
      datasets.append(
        .init(label: "", data: line { range($0).upperBound }, color: color, borderWidth: 0, pointHitRadius: 0, order: 1)
      )
      datasets.append(
        .init(
          label: "", data: line { range($0).lowerBound }, color: color, borderWidth: 0, pointHitRadius: 0, order: 1,
          fill: "-1"))
    }
  }
  return ChartConfiguration(datasets: datasets, title: "return")
}

extension [RunMetrics.Point] {
  /// The value at a step, between its neighbours in a straight line; the points are not empty.
  fileprivate func value(at step: Double) -> Double {
    guard let next = firstIndex(where: { $0.step >= step }) else { return self[count - 1].value }
    guard next > 0 else { return self[0].value }
    let (a, b) = (self[next - 1], self[next])
    return a.value + (b.value - a.value) * (step - a.step) / (b.step - a.step)
  }
}

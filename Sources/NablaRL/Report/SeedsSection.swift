import NablaFormats
import NablaReport
import NablaTraining

/// Learning curves and results of several seeds, and of several algorithms.
func seedsSection(_ members: [StudiedRun]) -> ReportSection? {
  let groups = groups(members)
  guard !groups.isEmpty else { return nil }
  let rows = groups.compactMap { group -> String? in
    let results = group.runs.compactMap(\.finalReturn)
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
  return ReportSection(
    id: "seeds", title: groups.count > 1 ? "Comparison" : "Seeds",
    introduction: """
      <p>The return is the mean over the last 100 episodes of training. Lines are means over seeds; bands
      are interquartile ranges.</p>
      """,
    charts: [
      ReportChart(id: "chart-seeds", title: "Return", caption: "", configuration: learningCurves(groups))
    ],
    html: """
      <div class="card wide" tabindex="0"><table class="results"><thead><tr><th>algorithm</th><th>seeds</th><th>mean return</th>
      <th>95 % interval of the mean</th><th>interquartile mean</th><th>interquartile range</th>
      <th>worst</th><th>best</th></tr></thead>
      <tbody>\(rows.joined(separator: "\n"))</tbody></table></div>
      <p class="note">At the end of training. The interval is a bootstrap over seeds (10,000 samples, percentiles): with
      few seeds it is too narrow rather than too wide. The interquartile mean leaves out the lowest and the highest
      quarter of the seeds.</p>
      """)
}

/// The runs of one algorithm.
private struct SeedGroup {
  var algorithm: String
  var runs: [StudiedRun]
}

private func groups(_ members: [StudiedRun]) -> [SeedGroup] {
  members.reduce(into: []) { groups, member in
    if let index = groups.firstIndex(where: { $0.algorithm == member.algorithm }) {
      groups[index].runs.append(member)
    } else {
      groups.append(SeedGroup(algorithm: member.algorithm, runs: [member]))
    }
  }
}

private func digits(_ value: Double) -> String { significant(value, digits: 4) }

private func learningCurves(_ groups: [SeedGroup]) -> ChartConfiguration {
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
  /// The value at a step, by linear interpolation between its neighbors; the points are not empty.
  fileprivate func value(at step: Double) -> Double {
    guard let next = firstIndex(where: { $0.step >= step }) else { return self[count - 1].value }
    guard next > 0 else { return self[0].value }
    let (a, b) = (self[next - 1], self[next])
    return a.value + (b.value - a.value) * (step - a.step) / (b.step - a.step)
  }
}

import NablaFormats
import NablaReport

extension Comparison {
  /// The page: one self-contained HTML file.
  public func html() throws -> String {
    try ReportPage(
      title: "compare · \(models.map(\.name).joined(separator: ", "))",
      sections: [summary, results, completionsSection]
    ).html()
  }

  private var summary: ReportSection {
    ReportSection(
      id: "summary",
      html: """
        <p class="command">nabla compare</p>
        <h1>\(escapedHTML(models.map(\.name).joined(separator: ", ")))</h1>
        <p class="lead">\(prompts.count) prompts that none of them was trained on, \
        \(temperature == 0 ? "one greedy completion of each" : "one completion of each, sampled at temperature \(significant(Double(temperature), digits: 2)) from the same random streams").
        \(reference.map { "Divergence is from <code>\(escapedHTML($0))</code>." } ?? "")</p>
        """)
  }

  // MARK: Numbers

  private var results: ReportSection {
    let hasReference = reference != nil
    var head = ["model", "trained by"] + functions.map { $0 == "reward_model" ? "reward model" : $0 }
    if hasReference { head.append("KL, nats") }
    head += ["length, tokens", "truncated", "repeated", "training", "peak memory", "tokens trained on"]
    let rows = models.map { model in
      var row = [model.name, model.command ?? "–"]
      row += functions.indices.map { i in Statistic(model.completions.map { $0.scores[i] }).text }
      if hasReference { row.append(Statistic(model.completions.compactMap(\.logRatio)).text) }
      row += [
        Statistic(model.completions.map { Double($0.tokenCount) }).text,
        percent(model.completions.map { $0.isTruncated ? 1 : 0 }), percent(model.completions.map(\.repetition)),
        model.seconds.map { duration($0) } ?? "–",
        model.memory.map { "\(significant($0 / 1_048_576, digits: 3)) MiB" } ?? "–",
        model.tokens.map { scaled($0, ["", " k", " M", " G"]) } ?? "–",
      ]
      return row
    }
    return ReportSection(
      id: "results", title: "Results",
      html: """
        \(resultTable(head, rows))
        <p>Means with the half width of their 95 % interval. Length, completions that were cut off, and three-token
        sequences that a completion repeats show how a reward may be gained without what it is meant for: where the
        reward model's score rises and a reward function's does not, the policy has found what the reward model likes \
        and
        people may not.</p>
        \(hasReference && functions.count > 0 ? frontier : "")
        """)
  }

  /// Each model's last reward over its divergence: reward against divergence.
  private var frontier: String {
    let points = models.map { model in
      (
        name: model.name, x: Statistic(model.completions.compactMap(\.logRatio)),
        y: Statistic(model.completions.map { $0.scores[functions.count - 1] })
      )
    }
    let name = functions.last == "reward_model" ? "reward model's score" : functions.last!
    return """
      <figure class="card" style="max-width: 46rem"><header><h3>Reward against divergence</h3></header>
      \(scatter(points, x: "KL to the reference, nats per completion", y: name))
      <figcaption>The higher for the same distance to the right, the better. Bars are 95 % \
      intervals.</figcaption></figure>
      """
  }

  // MARK: Completions

  private static let promptsShown = 24

  private var completionsSection: ReportSection {
    let head = ["prompt"] + models.map(\.name)
    let rows = prompts.indices.prefix(Self.promptsShown).map { i in
      let cells = models.map { model in
        let completion = model.completions[i]
        let scores = completion.scores.map { significant($0, digits: 3) }.joined(separator: ", ")
        return "<td><pre>\(escapedHTML(completion.text))</pre><small>\(escapedHTML(scores))</small></td>"
      }
      return "<tr><td><pre>\(escapedHTML(prompts[i]))</pre></td>\(cells.joined())</tr>"
    }
    return ReportSection(
      id: "completions", title: "Side by side",
      html: """
        <p>The first \(rows.count) prompts. Below each completion: \
        \(escapedHTML(functions.joined(separator: ", "))).</p>
        <div class="card wide" tabindex="0"><table class="results">
        <thead><tr>\(head.map { "<th>\(escapedHTML($0))</th>" }.joined())</tr></thead>
        <tbody>\(rows.joined(separator: "\n"))</tbody></table></div>
        """)
  }
}

/// A mean and the half width of its 95 % interval.
struct Statistic {
  let mean, half: Double

  init(_ values: [Double]) {
    let n = Double(max(values.count, 1))
    let center = values.reduce(0, +) / n
    let variance = values.reduce(0) { $0 + ($1 - center) * ($1 - center) } / max(n - 1, 1)
    (mean, half) = (center, 1.96 * (variance / n).squareRoot())
  }

  var text: String { "\(significant(mean, digits: 3)) ± \(significant(half, digits: 2))" }
}

private func percent(_ shares: [Double]) -> String { "\(significant(100 * Statistic(shares).mean, digits: 3)) %" }

private func resultTable(_ head: [String], _ rows: [[String]]) -> String {
  func cells(_ row: [String], _ tag: String) -> String {
    row.map { "<\(tag) style=\"white-space: nowrap\">\(escapedHTML($0))</\(tag)>" }.joined()
  }
  return """
    <div class="card wide" tabindex="0"><table class="results"><thead><tr>\(cells(head, "th"))</tr></thead>
    <tbody>\(rows.map { "<tr>\(cells($0, "td"))</tr>" }.joined(separator: "\n"))</tbody></table></div>
    """
}

/// Named points with their intervals, as SVG.
private func scatter(_ points: [(name: String, x: Statistic, y: Statistic)], x: String, y: String) -> String {
  let (width, height, left, bottom) = (640.0, 320.0, 56.0, 40.0)
  func range(_ statistics: [Statistic]) -> (low: Double, high: Double) {
    let low = min(statistics.map { $0.mean - $0.half }.min() ?? 0, 0)
    let high = statistics.map { $0.mean + $0.half }.max() ?? 1
    let reach = max(high - low, 1e-6)
    return (low - 0.05 * reach, high + 0.1 * reach)
  }
  let (xs, ys) = (range(points.map(\.x)), range(points.map(\.y)))
  func px(_ value: Double) -> Double {
    ((left + (value - xs.low) / (xs.high - xs.low) * (width - left - 80)) * 10).rounded() / 10
  }
  func py(_ value: Double) -> Double {
    ((height - bottom - (value - ys.low) / (ys.high - ys.low) * (height - bottom - 12)) * 10).rounded() / 10
  }
  func text(_ x: Double, _ y: Double, _ text: String, _ attributes: String = "") -> String {
    "<text x=\"\(x)\" y=\"\(y)\" font-size=\"12\" fill=\"var(--muted)\" \(attributes)>\(escapedHTML(text))</text>"
  }
  func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ color: String) -> String {
    "<line x1=\"\(x1)\" y1=\"\(y1)\" x2=\"\(x2)\" y2=\"\(y2)\" stroke=\"var(--\(color))\"/>"
  }
  var parts: [String] = []
  for i in 0...4 {
    let (a, b) = (xs.low + Double(i) / 4 * (xs.high - xs.low), ys.low + Double(i) / 4 * (ys.high - ys.low))
    parts.append(line(left, py(b), width - 80, py(b), "line"))
    parts.append(text(left - 6, py(b) + 4, significant(b, digits: 2), "text-anchor=\"end\""))
    parts.append(text(px(a), height - bottom + 16, significant(a, digits: 2), "text-anchor=\"middle\""))
  }
  for point in points {
    let (cx, cy) = (px(point.x.mean), py(point.y.mean))
    parts.append(line(px(point.x.mean - point.x.half), cy, px(point.x.mean + point.x.half), cy, "second"))
    parts.append(line(cx, py(point.y.mean - point.y.half), cx, py(point.y.mean + point.y.half), "second"))
    parts.append("<circle cx=\"\(cx)\" cy=\"\(cy)\" r=\"4\" fill=\"var(--accent)\"/>")
    parts.append(text(cx + 8, cy - 6, point.name))
  }
  parts.append(text((left + width - 80) / 2, height - 6, x, "text-anchor=\"middle\""))
  parts.append(text(left, 10, y))
  return """
    <svg viewBox="0 0 \(width) \(height)" role="img" aria-label="\(escapedHTML("\(y) over \(x)"))" \
    style="width: 100%; height: auto">\(parts.joined())</svg>
    """
}

extension Comparison {
  public var json: JSONValue { encoded(self) }
}

import NablaFormats
import NablaNN
import NablaReport

/// The measured time of attention and feed-forward by length of text, and the memory of parameters and activations.
func costSection(_ cost: ModelCost?) -> ReportSection? {
  guard let cost, !cost.times.isEmpty else { return nil }

  func line(_ label: String, color: String, _ seconds: (ModelCost.Time) -> Double) -> ChartConfiguration.Series {
    .init(
      label: label,
      data: cost.times.map { .init(x: Double($0.tokens), y: (1000 * seconds($0)).rounded(digits: 4)) }, color: color,
      pointRadius: 2.5)
  }
  let lengths = cost.times.map { Double($0.tokens) }
  let units = [" B", " kB", " MB", " GB", " TB"]
  let facts = [
    ("parameters", grouped(cost.parameters), "\(scaled(Double(cost.parameterBytes), units)) in float32"),
    (
      "activations of a window", scaled(Double(cost.activationBytes), units),
      "kept for the backward pass of \(grouped(cost.window)) tokens, measured"
    ),
    (
      "of these the residual stream", scaled(Double(cost.streamBytes), units),
      "T · C numbers before each layer, float32"
    ),
    (
      "equal operations at", "\(grouped(Int(cost.crossing.rounded()))) tokens",
      "by count; longer texts spend more on attention"
    ),
  ]
  let list = facts.map { name, value, note in
    "<div><dt>\(escapedHTML(name))</dt><dd>\(escapedHTML(value))<small>\(escapedHTML(note))</small></dd></div>"
  }
  return ReportSection(
    id: "cost", title: "Cost",
    introduction: """
      <p>Attention compares every token with every earlier one, so its work grows with the square of the text; the
      feed-forward network works on each token alone. Measured on the computer that trained the model.</p>
      """,
    equations: [.attentionCost],
    charts: [
      ReportChart(
        id: "chart-cost", title: "Time of a layer by length of text",
        caption:
          "The least of three forward passes of one layer. On these axes a slope of 1 is linear, of 2 quadratic.",
        configuration: ChartConfiguration(
          datasets: [
            line("attention", color: "accent", \.attention), line("feed-forward", color: "second", \.feedForward),
          ], title: "milliseconds"
        ).over("tokens T", values: lengths, in: lengths[0]...lengths.last!, isLogarithmic: true).logarithmic)
    ],
    html: "<dl class=\"facts\">\(list.joined())</dl>")
}

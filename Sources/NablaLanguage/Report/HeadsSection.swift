import NablaFormats
import NablaReport

/// Heads compared, and entropy, sparsity and temperature by layer.
func headsSection(_ analysis: Analysis?) -> ReportSection? {
  guard let analysis, analysis.attention.contains(where: { $0.heads.contains { $0.focus != nil } }) else { return nil }
  let layers = Array(analysis.attention.enumerated())
  let count = layers.count

  /// A dot for each head, over its layer (from 0, as in the maps).
  func dots(_ label: String, color: String, _ value: (Analysis.Head) -> Double?) -> ChartConfiguration.Series {
    let points = layers.flatMap { index, layer in
      layer.heads.enumerated().compactMap { head, item in
        value(item).map {
          ChartConfiguration.Point(
            x: Double(index), y: $0.rounded(digits: 4),
            note: "\(label), layer \(index), head \(head): \(significant($0, digits: 3))")
        }
      }
    }
    return .init(label: label, data: points, color: color, pointRadius: 3.5, showLine: false)
  }
  func means(_ label: String, color: String, _ value: (Analysis.Head) -> Double?) -> ChartConfiguration.Series {
    let points = layers.compactMap { index, layer -> ChartConfiguration.Point? in
      let values = layer.heads.compactMap(value)
      let mean = values.reduce(0, +) / Double(max(1, values.count))
      return values.isEmpty ? nil : .init(x: Double(index), y: mean.rounded(digits: 4))
    }
    return .init(label: label, data: points, color: color, order: 1)
  }
  let charts = [
    ReportChart(
      id: "chart-heads", title: "Heads compared",
      caption: "A dot is a head. A largest weight near 1: its queries pick one token. A weight on itself near 1: that "
        + "token is their own.",
      configuration: ChartConfiguration(
        datasets: [
          dots("largest weight of a row", color: "accent") { $0.focus?.peak },
          dots("weight on the token itself", color: "second") { $0.focus?.own },
        ], title: "mean over rows", startsAtZero: true
      ).overLayers(count)),
    ReportChart(
      id: "chart-entropy", title: "Entropy by layer",
      caption: "Dots are heads, the line is the mean of a layer. Evenly spread attention would have "
        + "\(significant(analysis.largestEntropy, digits: 3)) nats.",
      configuration: ChartConfiguration(
        datasets: [
          dots("heads", color: "accent", \.entropy), means("mean of the layer", color: "second", \.entropy),
        ],
        title: "nats", startsAtZero: true
      ).overLayers(count)),
    ReportChart(
      id: "chart-sparsity", title: "Sparsity of attention",
      caption:
        "The share of weights below 0.01 among those that the mask leaves: what could be skipped with little loss.",
      configuration: ChartConfiguration(
        datasets: [
          dots("heads", color: "accent") { $0.focus?.sparsity },
          means("mean of the layer", color: "second") { $0.focus?.sparsity },
        ], title: "share of weights", startsAtZero: true
      ).overLayers(count)),
    temperatureChart(analysis),
  ].compactMap { $0 }
  return ReportSection(
    id: "heads", title: "Heads and layers",
    introduction: "<p>What the maps above say in numbers: measured on the same held-out text.</p>",
    equations: [.temperature], charts: charts)
}

/// The entropy of each layer at other temperatures; of a deep model, the first, the middle and the last layer.
private func temperatureChart(_ analysis: Analysis) -> ReportChart? {
  let count = analysis.attention.count
  let shown = count <= 4 ? Array(0..<count) : [0, count / 2, count - 1]
  let colors = ["accent", "second", "third", "alert"]
  let series = shown.enumerated().compactMap { index, layer -> ChartConfiguration.Series? in
    guard let entropies = analysis.attention[layer].temperatureEntropies,
      entropies.count == Analysis.temperatures.count
    else { return nil }
    let points = zip(Analysis.temperatures, entropies).map {
      ChartConfiguration.Point(x: $0, y: $1.rounded(digits: 4))
    }
    return .init(label: "layer \(layer)", data: points, color: colors[index], pointRadius: 2)
  }
  if series.isEmpty { return nil }
  return ReportChart(
    id: "chart-temperature", title: "Temperature of the softmax",
    caption:
      "Mean entropy if the logits were divided by a temperature. At 1 it is the model; low temperatures pick one "
      + "token, high ones approach \(significant(analysis.largestEntropy, digits: 3)) nats, evenly spread.",
    configuration: ChartConfiguration(datasets: series, title: "nats", startsAtZero: true).over(
      "temperature", values: [0.1, 0.2, 0.5, 1, 2, 5, 10], in: 0.1...10, isLogarithmic: true))
}

extension ChartConfiguration {
  /// Over layers from 0, with room for the dots of the first and the last.
  fileprivate func overLayers(_ count: Int) -> ChartConfiguration {
    over("layer", values: (0..<count).map(Double.init), in: -0.3...Double(count) - 0.7)
  }
}

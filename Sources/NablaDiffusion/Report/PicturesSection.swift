import FoundationEssentials
import NablaFormats
import NablaReport

extension DiffusionPictures {
  /// The forward process, guidance, and for points the paths of samples and how few steps are enough.
  var sections: [ReportSection] {
    let figures = pictures.map { picture in
      """
      <figure class="card"><header><h3>\(escapedHTML(picture.title))</h3></header>
      <img alt="\(escapedHTML(picture.title))" style="max-width: 100%" \
      src="data:image/png;base64,\(picture.png.base64EncodedString())">
      <figcaption>\(escapedHTML(picture.caption))</figcaption></figure>
      """
    }
    var sections = [
      ReportSection(
        id: "process", title: "The process",
        html: figures.joined(separator: "\n") + (paths.map(\.figure) ?? ""))
    ]
    if !quality.isEmpty { sections.append(qualitySection) }
    return sections
  }

  private var qualitySection: ReportSection {
    let colors = ["accent", "second", "third", "alert"]
    var series = quality.enumerated().map { index, line in
      ChartConfiguration.Series(
        label: line.sampler, data: zip(line.steps, line.distances).map { .init(x: Double($0), y: $1) },
        color: colors[index % colors.count], pointRadius: 2.5)
    }
    if let floor, let steps = quality.first?.steps {
      series.append(
        ChartConfiguration.Series(
          label: "two sets of data", data: [steps.first!, steps.last!].map { .init(x: Double($0), y: floor) },
          color: "muted", borderWidth: 1))
    }
    var configuration = ChartConfiguration(
      datasets: series, title: "sliced Wasserstein distance", startsAtZero: true)
    configuration.options.scales["x"]?.title.text = "steps of the sampler"
    return ReportSection(
      id: "steps", title: "How many steps are enough",
      charts: [
        ReportChart(
          id: "chart-steps", title: "Quality by steps",
          caption: "Of 500 samples to data, by sampler. Two sets of data are "
            + "no nearer to each other than the gray line. Heun evaluates the network twice a step.",
          configuration: configuration)
      ])
  }
}

extension DiffusionPictures.Paths {
  /// Lines from noise to data.
  var figure: String {
    let numbers = points.joined()
    let reach = Double(numbers.map { abs($0) }.max() ?? 1) * 1.05
    func place(_ value: Float, _ sign: Double) -> Double {
      ((160 + sign * 150 * Double(value) / reach) * 10).rounded() / 10
    }
    let lines = points.map { path in
      let places = stride(from: 0, to: path.count - 1, by: 2).map { "\(place(path[$0], 1)),\(place(path[$0 + 1], -1))" }
      return """
        <polyline points="\(places.joined(separator: " "))" fill="none" stroke="var(--accent)" stroke-width="0.75" \
        opacity="0.6"/>
        """
    }
    let ends = stride(from: 0, to: data.count - 1, by: 2).map {
      "<circle cx=\"\(place(data[$0], 1))\" cy=\"\(place(data[$0 + 1], -1))\" r=\"2\" fill=\"var(--second)\"/>"
    }
    return """
      <figure class="card" style="max-width: 26rem"><header><h3>From noise to data</h3></header>
      <svg viewBox="0 0 320 320" role="img" aria-label="Paths of samples from noise to data" class="plot" id="paths">
      \((lines + ends).joined(separator: "\n"))
      </svg>
      <figcaption>The paths of \(points.count) samples, each state divided by its size; dots are where they end.</figcaption>
      </figure>
      """
  }
}

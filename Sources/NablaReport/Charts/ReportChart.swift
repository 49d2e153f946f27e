/// A chart that Chart.js draws, with its title and caption.
public struct ReportChart: Sendable, Encodable {
  /// The id of its canvas: one for each chart of a page.
  public var id: String
  public var title: String
  /// Plain text below it.
  public var caption: String
  /// More below the caption, safe HTML.
  public var remark = ""
  public var configuration: ChartConfiguration
  /// Whether the reader may switch the y axis to a logarithmic one.
  public var hasLogarithmicAxis = false

  /// The data for the script.
  enum CodingKeys: String, CodingKey { case id, configuration }

  public init(
    id: String, title: String, caption: String = "", remark: String = "", configuration: ChartConfiguration,
    hasLogarithmicAxis: Bool = false
  ) {
    (self.id, self.title, self.caption, self.remark) = (id, title, caption, remark)
    (self.configuration, self.hasLogarithmicAxis) = (configuration, hasLogarithmicAxis)
  }

  var html: String {
    let title = escapedHTML(title)
    let toggle =
      hasLogarithmicAxis
      ? #"<label class="scripted"><input type="checkbox" data-logarithmic="\#(id)"> log axis</label>"# : ""
    let axis = configuration.options.scales["x"]?.title.text ?? "step"
    let quantity = axis == "step" ? "steps" : escapedHTML(axis)
    return """
      <figure class="card"><header><h3>\(title)</h3>\(toggle)</header>
      <div class="chart"><canvas id="\(id)" role="img" aria-label="\(title) over \(quantity)"></canvas></div>
      <figcaption>\(escapedHTML(caption))</figcaption>\(remark)</figure>
      """
  }
}

extension [ReportChart] {
  /// The charts of a section, side by side where there is room, and their data.
  func html(section: String) throws -> String {
    if isEmpty { return "" }
    return """
      <noscript><p class="note">The charts need JavaScript. Their numbers are in metrics.jsonl.</p></noscript>
      <div class="charts">
      \(map(\.html).joined(separator: "\n"))
      </div>
      \(try jsonIsland(id: "\(section)-data", class: "chart-data", self))
      """
  }
}

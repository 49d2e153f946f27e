/// One part of a page: a heading, equations, charts and other content.
///
/// A domain contributes sections as values; the page knows nothing about their subjects.
///
/// ```swift
/// ReportSection(
///   id: "noise", title: "Noise", introduction: "<p>How much of it there is.</p>",
///   equations: [Equation(#"x_t = \alpha_t x_0 + \sigma_t \epsilon"#, "The forward process.")],
///   charts: [ReportChart(id: "chart-noise", title: "Noise", configuration: …)])
/// ```
public struct ReportSection: Sendable {
  /// The id of its element, for links to it.
  public var id: String
  /// Its heading; nil for the part above all headings.
  public var title: String?
  /// The content below the heading, safe HTML.
  public var introduction: String
  public var equations: [Equation]
  public var charts: [ReportChart]
  /// The content after the charts, safe HTML.
  public var html: String
  /// The section's JavaScript, run once after all parts are in the page, in its own scope. It can use
  /// `nabla`, see Page/page.js.
  public var script: String

  public init(
    id: String, title: String? = nil, introduction: String = "", equations: [Equation] = [],
    charts: [ReportChart] = [], html: String = "", script: String = ""
  ) {
    (self.id, self.title, self.introduction) = (id, title, introduction)
    (self.equations, self.charts, self.html, self.script) = (equations, charts, html, script)
  }

  /// The element.
  func element() throws -> String {
    let parts = [
      title.map { "<h2>\(escapedHTML($0))</h2>" } ?? "", introduction, equations.html, try charts.html(section: id),
      html,
    ]
    return """
      <section id="\(escapedHTML(id))">
      \(parts.filter { !$0.isEmpty }.joined(separator: "\n"))
      </section>
      """
  }
}

import NablaFormats
import NablaTraining

/// A self-contained HTML page with charts, equations and images. It opens offline, on a
/// phone, and years later.
public struct ReportPage: Sendable {
  public var title: String
  public var sections: [ReportSection]

  public init(title: String, sections: [ReportSection]) { (self.title, self.sections) = (title, sections) }

  /// Writes `report.html` into the run folder, replacing an existing one.
  ///
  /// - Throws: ``ReportError`` when Chart.js is needed and not installed; `FileError`.
  public func write(to run: RunFolder) throws { try AtomicFile.write(html(), to: run.reportPath) }

  /// The page, with the libraries it needs as installed on this machine.
  ///
  /// - Throws: ``ReportError`` when it has charts and Chart.js is not installed. Without KaTeX, equations show as TeX.
  public func html() throws -> String {
    let katex = try? KaTeX(for: sections.flatMap { $0.equations.map(\.tex) })
    return try html(chartJS: needsCharts ? PageAsset.chartJS() : "", katex: katex)
  }

  private var needsCharts: Bool { sections.contains { !$0.charts.isEmpty } }
  private var needsKaTeX: Bool { sections.contains { !$0.equations.isEmpty } }

  /// The page.
  ///
  /// The content policy forbids every request, so the page cannot depend on the network.
  ///
  /// - Parameters:
  ///   - chartJS: The source text of Chart.js; in the page where a section has charts.
  ///   - katex: Nil to show TeX.
  package func html(chartJS: String, katex: KaTeX? = nil) throws -> String {
    let katex = needsKaTeX ? katex : nil
    let links = sections.compactMap { section in
      section.title.map { "<a href=\"#\(escapedHTML(section.id))\">\(escapedHTML($0))</a>" }
    }
    let styles = [katex?.style, PageAsset.style].compactMap { $0 }
    let libraries = [needsCharts ? chartJS : "", katex?.script ?? "", PageAsset.script]
    let own = [needsCharts ? PageAsset.own("charts.js") : "", katex == nil ? "" : PageAsset.own("equations.js")]
    let scripts = libraries + (own + sections.map(\.script)).map(scoped)
    let notices = [needsCharts ? "charts: Chart.js" : nil, katex == nil ? nil : "equations: KaTeX"].compactMap { $0 }
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta http-equiv="Content-Security-Policy" \
      content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; font-src data:">
      <title>\(escapedHTML(title))</title>
      \(styles.map { "<style>\n\($0)\n</style>" }.joined(separator: "\n"))
      </head>
      <body>
      <main>
      <nav aria-label="Sections">\(links.joined(separator: "\n"))</nav>
      \(try sections.map { try $0.element() }.joined(separator: "\n"))
      <footer>Made by Nabla\(notices.isEmpty ? "" : " (\(notices.joined(separator: ", ")); MIT license)").</footer>
      </main>
      <div id="tip" hidden></div>
      \(scripts.filter { !$0.isEmpty }.map { "<script>\n\($0)\n</script>" }.joined(separator: "\n"))
      </body>
      </html>

      """
  }
}

/// A script in its own scope. If it fails, the others still run.
private func scoped(_ script: String) -> String { script.isEmpty ? "" : "(() => {\n\(script)\n})();" }

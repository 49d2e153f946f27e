/// Puts sections into one self-contained page.
///
/// The content policy forbids every request, so the page cannot come to depend on the network.
package func reportPage(title: String, sections: [ReportSection], chartLibrary: String) -> String {
  let links = sections.compactMap { section in
    section.title.map { "<a href=\"#\(section.id)\">\(escapedHTML($0))</a>" }
  }
  let parts = sections.map { section in
    let heading = section.title.map { "<h2>\(escapedHTML($0))</h2>\n" } ?? ""
    return "<section id=\"\(section.id)\">\n\(heading)\(section.html)\n</section>"
  }
  // Each script has a scope of its own, and one that fails leaves the others running.
  let scripts = sections.filter { !$0.script.isEmpty }.map { "<script>\n(() => {\n\($0.script)\n})();\n</script>" }
  let library = sections.contains(where: \.needsCharts) ? "<script>\n\(chartLibrary)\n</script>" : ""
  return """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta http-equiv="Content-Security-Policy" \
    content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
    <title>\(escapedHTML(title))</title>
    <style>
    \(reportStyle)
    </style>
    </head>
    <body>
    <main>
    <nav>\(links.joined(separator: "\n"))</nav>
    \(parts.joined(separator: "\n"))
    <footer>Made by Nabla.\(library.isEmpty ? "" : " Charts: Chart.js, MIT licence.")</footer>
    </main>
    <div id="tip" hidden></div>
    \(library)
    <script>
    \(reportScript)
    </script>
    \(scripts.joined(separator: "\n"))
    </body>
    </html>

    """
}

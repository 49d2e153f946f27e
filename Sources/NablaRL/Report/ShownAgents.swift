import NablaReport

/// An agent that a page shows, of one run or of several.
struct ShownAgent {
  /// "ppo, seed 3: return 487".
  var name: String
  var analysis: PolicyAnalysis
}

extension [ShownAgent] {
  /// What sections show of each agent: with several, the reader chooses one.
  ///
  /// - Parameter part: Safe HTML; nil where there is nothing to show of it.
  func html(_ part: (ShownAgent) -> String?) -> String {
    let parts = enumerated().compactMap { index, agent in part(agent).map { (index: index, html: $0) } }
    guard count > 1, let first = parts.first else { return parts.map(\.html).joined() }
    let options = parts.map { "<option value=\"\($0.index)\">\(escapedHTML(self[$0.index].name))</option>" }
    let elements = parts.map { index, html in
      "<div data-agent=\"\(index)\"\(index == first.index ? "" : " hidden")>\(html)</div>"
    }
    return """
      <p class="scripted"><label>Agent <select class="agent-choice" aria-label="Agent to show">\(options.joined())</select>\
      </label></p>
      \(elements.joined(separator: "\n"))
      """
  }
}

import NablaFormats
import NablaReport

/// The value function and the policy over two numbers of the state, as maps.
func policySection(_ agents: [ShownAgent]) throws -> ReportSection? {
  let agents = agents.filter { $0.analysis.map != nil }
  guard let first = agents.first?.analysis.map else { return nil }
  return ReportSection(
    id: "policy", title: "What was learned",
    introduction: """
      <p>Each point is a state: \(escapedHTML(first.x.name)) from left to right, \(escapedHTML(first.y.name)) from below.
      \(escapedHTML(first.remark)) <span class="scripted">Point at a map for its numbers.</span></p>
      <noscript><p class="note">The maps need JavaScript.</p></noscript>
      """,
    html: """
      \(agents.html { $0.analysis.map.map(maps) })
      \(try jsonIsland(id: "policy-data", agents.compactMap(\.analysis.map)))
      """,
    script: String(decoding: PackageResources.policy_js, as: UTF8.self))
}

private func maps(_ map: PolicyAnalysis.Map) -> String {
  let x = escapedHTML(map.x.name)
  let y = escapedHTML(map.y.name)
  let ranges = """
    <span class="y-title">\(y)</span><span class="y-ticks"><b>\(tick(map.y.high))</b><b>\(tick(map.y.low))</b></span>
    """
  let below = "<span class=\"x-ticks\"><b>\(tick(map.x.low))</b><b>\(x)</b><b>\(tick(map.x.high))</b></span>"
  func figure(_ name: String, _ title: String, _ caption: String) -> String {
    """
    <figure class="card"><header><h3>\(title)</h3></header>
    <div class="plane">\(ranges)<canvas class="\(name)-map" role="img" aria-label="\(title) over \(x) and \(y)"></canvas>
    \(below)</div><div class="key \(name)-key"></div><figcaption>\(caption)</figcaption></figure>
    """
  }
  let policyCaption =
    map.bounds == nil
    ? "Color: the most probable action; fainter means less certain."
    : "The mean of the action, before it is bounded."
  return """
    <div class="charts maps-of-policy">
    \(figure("policy", "Policy", policyCaption))
    \(figure("value", "Value", "The critic's estimate of the discounted return."))
    </div>
    """
}

private func tick(_ value: Double) -> String { significant((value * 1000).rounded() / 1000, digits: 3) }

import NablaFormats
import NablaReport

/// The clipped objective of PPO for both signs of the advantage, with the ratios of an update beneath it. Drawn as SVG,
/// so it needs no script. For other algorithms, only the formulas.
func objectiveSection(_ agents: [ShownAgent], algorithms: [String]) -> ReportSection {
  let clipped = agents.filter { $0.analysis.ratios != nil }
  guard let first = clipped.first?.analysis.ratios else {
    return ReportSection(
      id: "objective", title: "The objective", equations: Equation.ofAlgorithms(algorithms))
  }
  let range = significant(first.clipRange, digits: 3)
  return ReportSection(
    id: "objective", title: "The clipped objective",
    introduction: """
      <p>PPO maximizes min(r·Â, clip(r, 1 ± ε)·Â), where r is the probability of an action divided by its probability
      when it was taken, and Â how much better that action was than expected. Beyond the shaded range, ε = \(range), the
      objective is flat on the side that would gain more: the gradient is zero there. Bars count the actions of a
      rollout halfway through training by their ratio after its update.</p>
      """,
    equations: Equation.ofAlgorithms(algorithms),
    html: clipped.html { agent in
      agent.analysis.ratios.map { ratios in
        """
        <div class="charts">
        \(figure(ratios, sign: 1, counts: ratios.positive, title: "Better than expected (Â > 0)"))
        \(figure(ratios, sign: -1, counts: ratios.negative, title: "Worse than expected (Â < 0)"))
        </div>
        """
      }
    })
}

private func figure(_ ratios: PolicyAnalysis.Ratios, sign: Double, counts: [Int], title: String) -> String {
  let total = counts.reduce(0, +)
  let width = (ratios.high - ratios.low) / Double(counts.count)
  let outside = counts.enumerated().reduce(0) { sum, bin in
    let middle = ratios.low + (Double(bin.offset) + 0.5) * width
    let isFlat = sign > 0 ? middle > 1 + ratios.clipRange : middle < 1 - ratios.clipRange
    return sum + (isFlat ? bin.element : 0)
  }
  let share = total == 0 ? 0 : Int((Double(outside) / Double(total) * 100).rounded())
  return """
    <figure class="card"><header><h3>\(escapedHTML(title))</h3></header>
    \(Plot(ratios: ratios, sign: sign).svg(counts, label: title))
    <figcaption>Line: the objective over r, for Â = \(sign > 0 ? "1" : "−1"); dashed: r·Â without clipping. Of
    \(grouped(Double(total))) actions, \(share) % are where it is flat.</figcaption></figure>
    """
}

/// The layout of a drawing 480 wide and 280 high.
private struct Plot {
  var ratios: PolicyAnalysis.Ratios
  var sign: Double

  private let left = 34.0
  private let right = 460.0
  private let top = 12.0
  private let bottom = 236.0

  private func x(_ ratio: Double) -> Double {
    left + (ratio - ratios.low) / (ratios.high - ratios.low) * (right - left)
  }
  /// Objectives between those at the two ends fill the height.
  private func y(_ objective: Double) -> Double {
    let (low, high) = sign > 0 ? (0, ratios.high) : (-ratios.high, 0)
    return bottom - (objective - low) / (high - low) * (bottom - top)
  }
  private func objective(_ ratio: Double) -> Double {
    let clipped = min(max(ratio, 1 - ratios.clipRange), 1 + ratios.clipRange)
    return min(ratio * sign, clipped * sign)
  }
  private func number(_ value: Double) -> String { significant((value * 100).rounded() / 100, digits: 5) }
  private func path(_ points: [(Double, Double)]) -> String {
    points.map { "\(number($0.0)),\(number($0.1))" }.joined(separator: " ")
  }

  func svg(_ counts: [Int], label: String) -> String {
    let epsilon = ratios.clipRange
    let highest = Double(max(counts.max() ?? 0, 1))
    let step = (right - left) / Double(counts.count)
    let bars = counts.enumerated().filter { $0.element > 0 }.map { index, count in
      let height = 0.45 * (bottom - top) * Double(count) / highest
      return """
        <rect x="\(number(left + Double(index) * step + 0.5))" y="\(number(bottom - height))" \
        width="\(number(step - 1))" height="\(number(height))" fill="var(--second)" opacity="0.55">\
        <title>\(count)</title></rect>
        """
    }
    let corners = [ratios.low, 1 - epsilon, 1, 1 + epsilon, ratios.high]
    let ticks = corners.map { ratio in
      """
      <text x="\(number(x(ratio)))" y="252" text-anchor="middle">\(significant(ratio, digits: 3))</text>
      """
    }
    return """
      <svg viewBox="0 0 480 280" role="img" aria-label="\(escapedHTML(label))" class="plot">
      <rect x="\(number(x(1 - epsilon)))" y="\(top)" width="\(number(x(1 + epsilon) - x(1 - epsilon)))" \
      height="\(bottom - top)" fill="var(--accent)" opacity="0.09"/>
      <line x1="\(left)" y1="\(bottom)" x2="\(right)" y2="\(bottom)" stroke="var(--line)"/>
      <line x1="\(number(x(1)))" y1="\(top)" x2="\(number(x(1)))" y2="\(bottom)" stroke="var(--line)"/>
      \(bars.joined(separator: "\n"))
      <polyline points="\(path([ratios.low, ratios.high].map { (x($0), y($0 * sign)) }))" fill="none" \
      stroke="var(--muted)" stroke-dasharray="4 4"/>
      <polyline points="\(path(corners.map { (x($0), y(objective($0))) }))" fill="none" stroke="var(--accent)" \
      stroke-width="2.5"/>
      \(ticks.joined(separator: "\n"))
      <text x="\(right)" y="272" text-anchor="end">ratio r = π(a|s) / π_old(a|s)</text>
      <text x="6" y="20">L</text>
      </svg>
      """
  }
}

import NablaFormats
import Glibc
import NablaReport

/// A drawing with two logarithmic axes, as SVG that needs no script.
struct LogPlot {
  var x: Axis
  var y: Axis

  struct Axis {
    var title: String
    var low: Double
    var high: Double
    /// Where lines and numbers are.
    var ticks: [Double]
    var label: (Double) -> String

    /// Numbers are at powers of ten, fewer where there are many.
    static func powers(_ title: String, _ range: ClosedRange<Double>, label: @escaping (Double) -> String) -> Axis {
      let (first, last) = (ceil(log10(range.lowerBound)), floor(log10(range.upperBound)))
      var ticks: [Double] = []
      // A range that overflows has no powers of ten to show.
      if first.isFinite, last.isFinite {
        let step = max(1, ((last - first) / 5).rounded(.towardZero))
        ticks = stride(from: first, through: max(first, last), by: step).map { pow(10, $0) }
      }
      return Axis(title: title, low: range.lowerBound, high: range.upperBound, ticks: ticks, label: label)
    }

    static func loss(_ range: ClosedRange<Double>) -> Axis {
      let all = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3, 3.5, 4, 5, 6, 7, 8, 10, 12, 15, 20]
      let inside = all.filter(range.contains)
      let step = (inside.count + 5) / 6
      return Axis(
        title: "loss, nats a token", low: range.lowerBound, high: range.upperBound,
        ticks: inside.enumerated().filter { $0.offset % max(step, 1) == 0 }.map(\.element),
        label: { significant($0, digits: 3) })
    }
  }

  static let (left, right, top, bottom) = (60.0, 384.0, 10.0, 236.0)

  func place(_ px: Double, _ py: Double) -> (x: Double, y: Double) {
    let share = { (value: Double, axis: Axis) in (log(value) - log(axis.low)) / (log(axis.high) - log(axis.low)) }
    return (
      Self.left + share(px, x) * (Self.right - Self.left), Self.bottom - share(py, y) * (Self.bottom - Self.top)
    )
  }

  /// A line through points; what lies outside is cut off by the drawing's frame.
  func line(
    _ points: [(Double, Double)], color: String, width: Double = 1.5, dash: String = "", opacity: Double = 1,
    id: String = "", title: String = ""
  ) -> String {
    let path = points.filter { $0.0 > 0 && $0.1 > 0 }.map { point in
      let p = place(point.0, point.1)
      return "\(rounded(p.x)),\(rounded(p.y))"
    }.joined(separator: " ")
    let name = title.isEmpty ? "" : "<title>\(escapedHTML(title))</title>"
    return """
      <polyline\(id.isEmpty ? "" : " id=\"\(id)\"") points="\(path)" fill="none" stroke="var(--\(color))" \
      stroke-width="\(width)" opacity="\(opacity)"\(dash.isEmpty ? "" : " stroke-dasharray=\"\(dash)\"")>\(name)</polyline>
      """
  }

  func dot(
    _ px: Double, _ py: Double, color: String, radius: Double = 2.5, title: String, attributes: String = "",
    isHollow: Bool = false
  ) -> String {
    let p = place(px, py)
    let paint =
      isHollow ? "fill=\"var(--surface)\" stroke=\"var(--\(color))\" stroke-width=\"1.5\"" : "fill=\"var(--\(color))\""
    return """
      <circle cx="\(rounded(p.x))" cy="\(rounded(p.y))" r="\(radius)" \(paint)\(attributes.isEmpty ? "" : " " + attributes)>\
      <title>\(escapedHTML(title))</title></circle>
      """
  }

  func text(_ px: Double, _ py: Double, _ text: String, dx: Double = 5, dy: Double = 4, anchor: String = "start")
    -> String
  {
    let p = place(px, py)
    return """
      <text x="\(rounded(p.x + dx))" y="\(rounded(p.y + dy))" text-anchor="\(anchor)" style="font-size: 9px">\
      \(escapedHTML(text))</text>
      """
  }

  /// - Parameters:
  ///   - inside: Cut off at the frame.
  ///   - above: Drawn over everything, such as labels.
  func svg(id: String, label: String, _ inside: [String], above: [String] = []) -> String {
    let (left, right, top, bottom) = (Self.left, Self.right, Self.top, Self.bottom)
    let vertical = x.ticks.map { tick in
      let at = rounded(place(tick, y.low).x)
      return """
        <line x1="\(at)" y1="\(top)" x2="\(at)" y2="\(bottom)" stroke="var(--line)"/>\
        <text x="\(at)" y="\(bottom + 15)" text-anchor="middle">\(escapedHTML(x.label(tick)))</text>
        """
    }
    let horizontal = y.ticks.map { tick in
      let at = place(x.low, tick).y
      return """
        <line x1="\(left)" y1="\(rounded(at))" x2="\(right)" y2="\(rounded(at))" stroke="var(--line)"/>\
        <text x="\(left - 5)" y="\(rounded(at + 4))" text-anchor="end">\(escapedHTML(y.label(tick)))</text>
        """
    }
    return """
      <svg viewBox="0 0 400 276" role="img" aria-label="\(escapedHTML(label))" class="plot">
      <clipPath id="\(id)-frame"><rect x="\(left)" y="\(top)" width="\(right - left)" height="\(bottom - top)"/></clipPath>
      \(vertical.joined(separator: "\n"))
      \(horizontal.joined(separator: "\n"))
      <g clip-path="url(#\(id)-frame)">
      \(inside.joined(separator: "\n"))
      </g>
      \(above.joined(separator: "\n"))
      <text x="\((left + right) / 2)" y="270" text-anchor="middle">\(escapedHTML(x.title))</text>
      <text x="11" y="\((top + bottom) / 2)" text-anchor="middle" transform="rotate(-90 11 \((top + bottom) / 2))">\
      \(escapedHTML(y.title))</text>
      </svg>
      """
  }

  private func rounded(_ value: Double) -> Double { (min(max(value, -2_000), 2_000) * 10).rounded() / 10 }
}

/// 10²¹ as it is written, any other number as 3.2·10²¹.
func powerOfTen(_ value: Double) -> String {
  guard value > 0, value.isFinite else { return "\(value)" }
  var exponent = Int(floor(log10(value)))
  var mantissa = value / pow(10, Double(exponent))
  if mantissa > 9.995 { (mantissa, exponent) = (1, exponent + 1) }
  let raised = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
  let digits = String(exponent).map { $0.wholeNumberValue.map { raised[$0] } ?? "⁻" }
  return (abs(mantissa - 1) < 0.005 ? "10" : "\(significant(mantissa, digits: 3))·10") + String(digits)
}

/// 1.3e9 as 1.3B.
func countLabel(_ value: Double) -> String {
  if value >= 999.5e12 { return powerOfTen(value) }
  let text = scaled(value, ["", "K", "M", "B", "T"])
  guard let suffix = text.last, text.contains(".") else { return text }
  var digits = text[...]
  let hasSuffix = suffix.isLetter
  if hasSuffix { digits.removeLast() }
  while digits.last == "0" { digits.removeLast() }
  if digits.last == "." { digits.removeLast() }
  return digits + (hasSuffix ? String(suffix) : "")
}

func figure(_ title: String, _ drawing: String, caption: String, key: [(color: String, text: String)] = []) -> String {
  let items = key.map { "<span><i style=\"background: var(--\($0.color))\"></i>\(escapedHTML($0.text))</span>" }
  return """
    <figure class="card" style="max-width: 46rem"><header><h3>\(escapedHTML(title))</h3></header>
    \(items.isEmpty ? "" : "<div class=\"key\">\(items.joined())</div>")
    \(drawing)
    <figcaption>\(escapedHTML(caption))</figcaption></figure>
    """
}

/// A table; the cells are text.
func table(_ head: [String], _ rows: [[String]]) -> String {
  // Numbers stay in one piece; a narrow page scrolls the table instead.
  let cell = { (text: String, tag: String) in
    "<\(tag)\(text.count < 24 ? " style=\"white-space: nowrap\"" : "")>\(escapedHTML(text))</\(tag)>"
  }
  let cells = { (row: [String], tag: String) in row.map { cell($0, tag) }.joined() }
  return """
    <div class="card wide" tabindex="0"><table class="results"><thead><tr>\(cells(head, "th"))</tr></thead>
    <tbody>\(rows.map { "<tr>\(cells($0, "td"))</tr>" }.joined(separator: "\n"))</tbody></table></div>
    """
}

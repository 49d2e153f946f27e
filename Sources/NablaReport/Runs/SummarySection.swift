import Glibc
import NablaFormats
import NablaTraining

/// A number at the head of a page: "Training loss 1.234, at step 1,000".
public struct ReportFact: Sendable, Equatable {
  public var name: String
  public var value: String
  public var remark: String?

  public init(_ name: String, _ value: String, _ remark: String? = nil) {
    (self.name, self.value, self.remark) = (name, value, remark)
  }
}

/// A command to copy: "Continue", "nabla pretrain --resume runs/book".
public struct NextCommand: Sendable, Equatable {
  public var purpose: String
  public var command: String

  public init(_ purpose: String, _ command: String) { (self.purpose, self.command) = (purpose, command) }
}

extension RunContents {
  /// The head of the page: what was run, how it went, and what to do next.
  ///
  /// - Parameters:
  ///   - summary: Where the run wrote none; those of earlier versions did not.
  ///   - facts: The domain's, before those of every run.
  ///   - commands: Before the one that builds the page again.
  package func summarySection(
    summary fallback: RunSummary? = nil, facts: [ReportFact] = [], commands: [NextCommand] = []
  ) -> ReportSection {
    let summary = RunSummary(of: folder) ?? fallback ?? RunSummary()
    let size = summary.parameterCount.map { count in
      ReportFact(
        "Parameters", amount(Double(count)),
        summary.trainedParameterCount.map { "\(amount(Double($0))) trainable" })
    }
    let all = (size.map { [$0] } ?? []) + facts + generalFacts
    let items = all.map { fact in
      let small = fact.remark.map { "<small>\(escapedHTML($0))</small>" } ?? ""
      return "<div><dt>\(escapedHTML(fact.name))</dt><dd>\(escapedHTML(fact.value))\(small)</dd></div>"
    }
    let lines = [summary.model, summary.data.map { "Trained on \($0)" }].compactMap { $0 }
    let rebuild = NextCommand("Rebuild this page", "nabla report \(shellQuoted(path))")
    let rows = (commands + [rebuild]).map {
      "<dt>\(escapedHTML($0.purpose))</dt><dd><code>\(escapedHTML($0.command))</code></dd>"
    }
    let warning = overfitting.map { "<p class=\"finding\" role=\"note\">\(escapedHTML($0))</p>" } ?? ""
    return ReportSection(
      id: "summary",
      html: """
        <p class="command">∇ nabla \(escapedHTML(command))</p>
        <h1>\(escapedHTML(name))</h1>
        \(lines.map { "<p class=\"lead\">\(escapedHTML($0))</p>" }.joined(separator: "\n"))
        <dl class="facts">\(items.joined())</dl>
        \(warning)
        <dl class="commands">\(rows.joined())</dl>
        """)
  }

  private var generalFacts: [ReportFact] {
    let loss = metrics["loss"].smoothed(span: 10).last
    let best = metrics.minimum("validation_loss")
    let last = metrics["validation_loss"].last
    let facts = [
      loss.map { ReportFact("Training loss", digits($0.value), "at step \(grouped($0.step))") },
      best.map { ReportFact("Best validation loss", digits($0.value), "at step \(grouped($0.step))") },
      last == best
        ? nil : last.map { ReportFact("Last validation loss", digits($0.value), "at step \(grouped($0.step))") },
      metrics.minimum("validation_bits_per_byte").map {
        ReportFact("Best bits per byte", digits($0.value), "at step \(grouped($0.step))")
      },
      (metrics.maximum("tokens") ?? metrics.maximum("num_tokens")).map { ReportFact("Tokens seen", amount($0)) },
      trainingSeconds.map { ReportFact("Duration", duration($0)) },
      median(metrics["tokens_per_second"]).map { ReportFact("Throughput", "\(amount($0)) tok/s", "median") },
      metrics.maximum("memory_bytes").map {
        ReportFact("Peak memory", scaled($0, [" B", " kB", " MB", " GB", " TB"]))
      },
      metrics.skips.isEmpty ? nil : ReportFact("Skipped steps", "\(metrics.skips.count)"),
    ]
    return facts.compactMap { $0 }
  }

  /// By the run's own clock, else between its first and last record.
  private var trainingSeconds: Double? {
    if let seconds = metrics.maximum("seconds") ?? metrics.maximum("charts/seconds") { return seconds }
    guard let first = metrics["time"].first, let last = metrics["time"].last, last.value > first.value else {
      return nil
    }
    return last.value - first.value
  }
}

/// 1.234, or 1.234e-6 where that is shorter.
private func digits(_ value: Double) -> String {
  guard value != 0, value.magnitude < 1e-3 else { return significant(value, digits: 4) }
  let exponent = floor(log10(value.magnitude))
  return "\(significant(value / pow(10, exponent), digits: 4))e\(Int(exponent))"
}

/// 1.23 M
package func amount(_ value: Double) -> String { scaled(value, ["", " k", " M", " G", " T"]) }

package func median(_ points: [RunMetrics.Point]) -> Double? {
  let values = points.map(\.value).sorted()
  return values.isEmpty ? nil : (values[(values.count - 1) / 2] + values[values.count / 2]) / 2
}

/// An integer with commas, 12,345; any other number with four digits.
package func grouped(_ value: Double) -> String {
  guard let whole = Int(exactly: value) else { return significant(value, digits: 4) }
  var text = ""
  for (index, digit) in String(whole.magnitude).reversed().enumerated() {
    if index > 0, index % 3 == 0 { text.append(",") }
    text.append(digit)
  }
  return (whole < 0 ? "-" : "") + String(text.reversed())
}

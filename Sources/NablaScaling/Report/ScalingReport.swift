import FoundationEssentials
import NablaFormats
import Glibc
import NablaReport

/// The page of `nabla scaling show`: charts of a law, the runs it was fitted to, and published models.
public struct ScalingReport: Sendable {
  public var law: NamedLaw
  /// The fit of the law, if it is one.
  public var fit: ChinchillaFit?
  public var bootstrap: ChinchillaBootstrap?
  /// The source of the runs.
  public var file: String?
  /// The sweep that trained the runs, if one did.
  public var sweep: SweepResult?

  /// The page of a sweep.
  public init(_ sweep: SweepResult) {
    self.init(law: sweep.law, fit: sweep.fit, bootstrap: sweep.bootstrap, file: sweep.folder)
    self.sweep = sweep
  }

  public init(
    law: NamedLaw, fit: ChinchillaFit? = nil, bootstrap: ChinchillaBootstrap? = nil, file: String? = nil
  ) {
    self.law = law
    self.fit = fit
    self.bootstrap = bootstrap
    self.file = file
  }

  /// The page as one self-contained HTML file.
  public func html() throws -> String { try page().html() }

  /// The page.
  ///
  /// - Throws: ``PointError`` for a fit without an optimum.
  public func page() throws -> ReportPage {
    ReportPage(title: "scaling · \(fileName ?? law.title)", sections: try sections())
  }

  /// The sections of the page, for a page with others too.
  ///
  /// - Throws: ``PointError`` for a fit without an optimum.
  package func sections() throws -> [ReportSection] {
    if let law = law.chinchilla, let error = PointError(noOptimumOf: law, file: file) { throw error }
    var sections = [summary] + (sweep.map { [sweepSection($0)] } ?? [])
    if let chinchilla = law.chinchilla {
      sections.append(try lossSection(chinchilla))
      sections.append(kaplanSection)
      if let fit { sections.append(fitSection(fit)) }
      sections.append(overTrainingSection(chinchilla))
    }
    if law.chinchilla == nil { sections.append(kaplanSection) }
    return sections + [modelsSection]
  }

  // MARK: What the sections share

  var points: [ScalingPoint] { fit?.points ?? [] }

  /// From the smallest run, or 10¹⁸ FLOP, to a thousand times the largest.
  var computeRange: ClosedRange<Double> {
    let all = points.map(\.compute)
    let low = all.min() ?? 1e18
    let high = (all.max() ?? 1e23) * (points.isEmpty ? 1_000 : 100)
    return low / 1.5...high
  }

  func computeAxis(_ range: ClosedRange<Double>) -> LogPlot.Axis {
    .powers("training compute 6ND, FLOP", range, label: powerOfTen)
  }

  /// Values evenly spaced in logarithms.
  func spaced(_ range: ClosedRange<Double>, count: Int = 60) -> [Double] {
    let ratio = range.upperBound / range.lowerBound
    return (0..<count).map { range.lowerBound * pow(ratio, Double($0) / Double(count - 1)) }
  }

  // MARK: Summary and models

  private var summary: ReportSection {
    var facts: [(String, String, String)] = []
    if let chinchilla = law.chinchilla {
      let exponent = law.interval(\.parameterExponent)
      let interval = exponent.map {
        "\(significant($0.lowerBound, digits: 3)) to \(significant($0.upperBound, digits: 3))"
      }
      facts = [
        ("irreducible loss E", significant(chinchilla.E, digits: 4), "nats a token"),
        ("N grows as", "C^\(significant(chinchilla.parameterExponent, digits: 3))", interval ?? "with compute"),
        (
          "tokens a parameter", significant(chinchilla.optimalAllocation(compute: 1e21).tokensPerParameter, digits: 3),
          "at 10²¹ FLOP"
        ),
      ]
    }
    if let fit {
      let computes = fit.points.map(\.compute)
      facts.append(
        ("runs", "\(fit.points.count)", "\(powerOfTen(computes.min()!)) to \(powerOfTen(computes.max()!)) FLOP"))
    }
    let items = facts.map { name, value, remark in
      let value = escapedHTML(value).components(separatedBy: "^")  // C^0.5
      let raised = value.dropFirst().map { "<sup>\($0)</sup>" }.joined()
      return
        "<div><dt>\(escapedHTML(name))</dt><dd>\(value[0])\(raised) <small>\(escapedHTML(remark))</small></dd></div>"
    }
    return ReportSection(
      id: "summary",
      introduction: """
        <p class="command">nabla scaling \(sweep == nil ? "show" : "sweep")</p>
        <h1>\(escapedHTML(fit == nil ? law.title : "A law of \(fileName ?? "these runs")"))</h1>
        """,
      equations: equations,
      html: "<dl class=\"facts\">\(items.joined())</dl>")
  }

  /// The last part of the path.
  private var fileName: String? { file?.split(separator: "/").last.map(String.init) }

  private var equations: [Equation] {
    law.chinchilla.map { law -> [Equation] in [.lossLaw(law), .optimalSplit(law)] } ?? [.kaplanLaw]
  }

  private var modelsSection: ReportSection {
    let rows = PublishedModel.all.map { model in
      [
        model.name, countLabel(model.allocation.parameters), countLabel(model.allocation.tokens),
        powerOfTen(model.allocation.compute), significant(model.allocation.tokensPerParameter, digits: 3), model.source,
      ]
    }
    return ReportSection(
      id: "models", title: "Published models",
      html: table(["model", "parameters", "tokens", "6ND, FLOP", "tokens a parameter", "source"], rows))
  }
}

import NablaFormats

/// The report of a run: one HTML page with charts, samples and maps of the model, which opens from the disk without a
/// network, on a phone, and years later.
///
/// The page is a list of independent sections, each made from what the run folder holds. A section whose data is absent
/// is left out, so one report serves every kind of run.
public enum Report {
  /// Makes a section, or nil when the run has nothing for it.
  typealias Section = @Sendable (ReportSource) throws -> ReportSection?

  static let sections: [Section] = [
    summarySection, seedsSection, curvesSection, objectiveSection, policySection, replaySection, samplesSection,
    attentionSection, positionsSection, configurationSection,
  ]

  /// Writes `report.html` into the run folder, replacing the one that is there.
  ///
  /// - Throws: ``ReportError`` when Chart.js is not installed or `analysis.json` is malformed; ``FileError`` or
  ///   ``JSONError`` when a file of the run cannot be read.
  public static func write(for run: RunFolder) throws {
    let page = try html(for: run, chartLibrary: ChartLibrary.load())
    try AtomicFile.write(page, to: run.reportPath)
  }

  /// The page.
  ///
  /// - Parameter chartLibrary: The source text of Chart.js.
  package static func html(for run: RunFolder, chartLibrary: String) throws -> String {
    let source = try ReportSource(run)
    return reportPage(
      title: "\(source.command) · \(source.name)", sections: try sections.compactMap { try $0(source) },
      chartLibrary: chartLibrary)
  }
}

/// One part of the page.
package struct ReportSection {
  /// The id of its element, for links to it.
  package var id: String
  /// Its heading; nil for the part that stands above all headings.
  package var title: String?
  /// What stands beneath the heading, safe HTML.
  package var html: String
  /// JavaScript that brings the part to life, run once after all parts are in the page; it has `nabla`, see
  /// ``reportScript``.
  package var script: String
  /// Whether the script needs Chart.js.
  package var needsCharts: Bool

  package init(id: String, title: String? = nil, html: String, script: String = "", needsCharts: Bool = false) {
    self.id = id
    self.title = title
    self.html = html
    self.script = script
    self.needsCharts = needsCharts
  }
}

/// Why a report could not be made.
public struct ReportError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Kind: Equatable, Sendable {
    /// Chart.js is in none of these files.
    case noChartLibrary(searched: [String])
    /// `file` is an analysis whose parts do not fit together.
    case badAnalysis(file: String, place: String, problem: String)
  }

  public var kind: Kind

  public var description: String {
    switch kind {
    case .noChartLibrary(let searched):
      "the report needs Chart.js: install the package libjs-chart.js (looked for \(searched.joined(separator: ", ")))"
    case .badAnalysis(let file, let place, let problem):
      "\(file): \(place): \(problem); remove the file to get the report without it"
    }
  }
}

import NablaTraining

extension ReportPage {
  /// The page of a run with the sections that a domain puts between its head and its configuration.
  package init(_ run: RunContents, _ sections: [ReportSection?]) {
    self.init(title: "\(run.command) · \(run.name)", sections: sections.compactMap { $0 })
  }

  /// The page of any run: its summary, curves, samples and configuration. For trainers of your own:
  ///
  /// ```swift
  /// func writeReport(in run: RunFolder) throws { try ReportPage(of: run).write(to: run) }
  /// ```
  ///
  /// - Throws: What reading the run's files throws.
  public init(of folder: RunFolder, adding sections: [ReportSection] = []) throws {
    let run = try RunContents(folder)
    self.init(
      run,
      [run.summarySection(), run.curvesSection()] + sections + [run.samplesSection(), run.configurationSection()])
  }
}

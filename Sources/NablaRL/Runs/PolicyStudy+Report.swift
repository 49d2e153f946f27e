import NablaFormats
import NablaReport
import NablaTraining

extension PolicyStudy {
  /// The page of a study: its results and learning curves with links to the pages of its members, the settings, and the
  /// agents that the reader chooses.
  ///
  /// - Throws: What reading the files of the study and its members throws.
  public static func report(of folder: RunFolder) throws -> ReportPage {
    let run = try RunContents(folder)
    let setup = try folder.configuration(as: Setup.self)
    let members = try StudiedRun.all(of: setup, in: folder)
    let agents = try shown(members)
    let path = shellQuoted(run.path)
    let algorithms = members.reduce(into: [String]()) { names, member in
      if !names.contains(member.algorithm) { names.append(member.algorithm) }
    }
    var policy = try policySection(agents)
    if agents.count > 1 { policy?.script += "\n" + String(decoding: PackageResources.agents_js, as: UTF8.self) }
    return ReportPage(
      run,
      [
        run.summarySection(
          summary: RunSummary(
            model: "\(setup.environment), \(algorithms.joined(separator: " and ")), \(setup.members.count) runs"),
          facts: facts(setup, members),
          commands: [NextCommand("Continue", "nabla rl train --resume \(path)")]),
        seedsSection(members), membersSection(setup, members, in: folder),
        objectiveSection(agents, algorithms: algorithms), policy, settingsSection(setup, folder),
        run.configurationSection(hidden: ["members", "environment"]),
      ])
  }

  private static func facts(_ setup: Setup, _ members: [StudiedRun]) -> [ReportFact] {
    let returns = members.compactMap(\.finalReturn)
    let count = setup.members.count
    let begun = members.count == count ? nil : "of \(count); the others have not started"
    let runs = ReportFact("Runs", "\(members.count)", begun)
    guard let best = returns.max(), let worst = returns.min() else { return [runs] }
    let steps = members.reduce(0) { $0 + ($1.metrics[returnMetric].last?.step ?? 0) }
    return [
      runs, ReportFact("Best return", significant(best, digits: 4), "mean of the last 100 episodes"),
      ReportFact("Worst return", significant(worst, digits: 4)),
      ReportFact("Environment steps", amount(steps), "of all runs"),
    ]
  }

  /// The most agents whose maps a page holds: each takes about 100 kB.
  private static let agentLimit = 12

  /// Those with something to show; of many, some from the worst to the best.
  private static func shown(_ members: [StudiedRun]) throws -> [ShownAgent] {
    let agents = try members.compactMap { member -> (agent: ShownAgent, value: Double)? in
      guard var analysis = try PolicyAnalysis(contentsOfFile: member.analysisPath) else { return nil }
      analysis.replay = nil
      let value = member.finalReturn ?? -.infinity
      let result = member.finalReturn.map { ": return \(significant($0, digits: 4))" } ?? ""
      return (ShownAgent(name: "\(member.algorithm), seed \(member.seed)\(result)", analysis: analysis), value)
    }
    guard agents.count > agentLimit else { return agents.map(\.agent) }
    let ranked = agents.sorted { $0.value < $1.value }
    return (0..<agentLimit).map { ranked[$0 * (ranked.count - 1) / (agentLimit - 1)].agent }
  }
}

extension StudiedRun {
  /// In the study's order. A folder that is not one inside the study's is passed over.
  static func all(of setup: PolicyStudy.Setup, in study: RunFolder) throws -> [StudiedRun] {
    try setup.members.compactMap { member in
      guard !member.folder.contains("/"), member.folder != "..", member.folder != "." else { return nil }
      let path = "\(study.path)/\(member.folder)"
      let metrics = try RunMetrics(contentsOfFile: "\(path)/metrics.jsonl")
      if metrics.names.isEmpty { return nil }
      return StudiedRun(
        folder: member.folder, algorithm: member.setup.algorithm, seed: member.setup.settings.seed, metrics: metrics,
        analysisPath: "\(path)/\(PolicyAnalysis.fileName)", hasReport: pathExists("\(path)/report.html"))
    }
  }
}

/// Every run with its result and a link to its own page.
private func membersSection(_ setup: PolicyStudy.Setup, _ members: [StudiedRun], in study: RunFolder) -> ReportSection?
{
  if members.isEmpty { return nil }
  let rows = members.map { member in
    let name = escapedHTML(member.folder)
    let link = member.hasReport ? "<a href=\"./\(name)/report.html\">\(name)</a>" : name
    let result = member.finalReturn.map { significant($0, digits: 4) } ?? "–"
    let steps = member.metrics[returnMetric].last.map { grouped($0.step) } ?? "–"
    return """
      <tr><td>\(link)</td><td>\(escapedHTML(member.algorithm))</td><td>\(member.seed)</td><td>\(result)</td>\
      <td>\(steps)</td></tr>
      """
  }
  let waiting = setup.members.count - members.count
  let note = waiting > 0 ? "<p class=\"note\">\(waiting) of \(setup.members.count) have not started.</p>" : ""
  return ReportSection(
    id: "members", title: "Runs",
    introduction: "<p>Each run has its own page in its folder.</p>",
    html: """
      <div class="card wide" tabindex="0"><table class="results"><thead><tr><th>run</th><th>algorithm</th><th>seed</th>\
      <th>return</th><th>environment steps</th></tr></thead>
      <tbody>\(rows.joined(separator: "\n"))</tbody></table></div>
      \(note)
      """)
}

/// The settings of each algorithm, which are the same in all its runs but for the seed.
private func settingsSection(_ setup: PolicyStudy.Setup, _ study: RunFolder) -> ReportSection? {
  let saved = study.configuration["members"]?.array ?? []
  var shown: Set<String> = []
  let tables = zip(setup.members, saved).compactMap { member, json -> String? in
    guard shown.insert(member.setup.algorithm).inserted, let settings = json["setup"]?["settings"]?.object else {
      return nil
    }
    return settingsTable(member.setup.algorithm, settings.members.filter { $0.key != "seed" })
  }
  if tables.isEmpty { return nil }
  return ReportSection(
    id: "settings", title: "Settings", html: "<div class=\"tables\">\(tables.joined(separator: "\n"))</div>")
}

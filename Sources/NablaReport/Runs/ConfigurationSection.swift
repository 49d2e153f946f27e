import NablaFormats

extension RunContents {
  /// The saved configuration, one table per group.
  ///
  /// - Parameter hidden: Names at its top that are shown elsewhere.
  package func configurationSection(hidden: [String] = []) -> ReportSection? {
    let members = (folder.configuration.object?.members ?? []).filter { !hidden.contains($0.key) }
    let plain = members.filter { $0.value.object == nil }
    let groups =
      (plain.isEmpty ? [] : [("run", plain)])
      + members.compactMap { member in
        member.value.object.map { (member.key, $0.members) }
      }
    let tables = groups.filter { !$0.1.isEmpty }.map { name, members in settingsTable(name, members) }
    if tables.isEmpty { return nil }
    return ReportSection(
      id: "configuration", title: "Configuration", html: "<div class=\"tables\">\(tables.joined(separator: "\n"))</div>"
    )
  }
}

/// Settings with their values, as safe HTML.
package func settingsTable(_ caption: String, _ members: [JSONObject.Member]) -> String {
  let rows = members.map { member in
    "<tr><th scope=\"row\">\(escapedHTML(member.key))</th><td>\(escapedHTML(settingText(member.value)))</td></tr>"
  }
  return "<table class=\"card\"><caption>\(escapedHTML(caption))</caption><tbody>\(rows.joined())</tbody></table>"
}

/// A value as a person would write it; a list as its elements.
private func settingText(_ value: JSONValue) -> String {
  let text =
    switch value {
    case .string(let text): text.isEmpty ? "(empty)" : text
    case .null: "–"
    case .array(let elements): elements.map { $0.string ?? $0.serialized() }.joined(separator: ", ")
    default: value.serialized()
    }
  return text.count > 1_000 ? "\(text.prefix(1_000))… (\(text.count) characters)" : text
}

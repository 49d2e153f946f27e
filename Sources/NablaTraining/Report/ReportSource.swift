import NablaFormats

/// What a run folder holds, read once for all sections.
struct ReportSource {
  /// What the model produced after a step.
  struct Sample {
    var step: Int
    var text: String
    /// Whether the text is only the beginning of the file.
    var isCut: Bool
  }

  var path: String
  var command: String
  var configuration: JSONValue
  var metrics: RunMetrics
  /// In the order of their steps.
  var samples: [Sample]
  var analysis: Analysis?

  /// The last part of the path.
  var name: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// The most samples a page shows, and the most bytes of one.
  static let sampleLimit = (count: 200, bytes: 20_000)

  init(_ run: RunFolder) throws {
    path = run.path
    command = run.command
    let description = try JSONValue(contentsOfFile: run.configurationPath)
    configuration = description["configuration"] ?? description
    metrics = try RunMetrics(contentsOfFile: run.metricsPath)
    samples = try Self.readSamples(run.samplesPath)
    analysis = try Analysis(contentsOfFile: Analysis.path(in: run))
  }

  /// The first value with one of these names, at the top of the configuration or in one of its groups. Case and
  /// underscores do not count: "parameter_count" finds "parameterCount".
  func setting(_ names: String...) -> JSONValue? {
    let groups = [configuration] + (configuration.object?.members.map(\.value) ?? [])
    for name in names {
      for group in groups {
        let member = group.object?.members.first { Self.plain($0.key) == Self.plain(name) }
        if let value = member?.value, value != .null { return value }
      }
    }
    return nil
  }

  private static func plain(_ name: String) -> String { name.lowercased().filter { $0 != "_" && $0 != "-" } }

  private static func readSamples(_ folder: String) throws -> [Sample] {
    guard isFolder(folder) else { return [] }
    let files = try folderEntries(folder).compactMap { name -> (step: Int, name: String)? in
      guard name.hasPrefix("step-"), name.hasSuffix(".txt") else { return nil }
      return Int(name.dropFirst(5).dropLast(4)).map { ($0, name) }
    }.sorted { $0.step < $1.step }
    return try evenly(files, limit: sampleLimit.count).map { file in
      try MappedFile(path: "\(folder)/\(file.name)").withBytes { bytes in
        let isCut = bytes.count > sampleLimit.bytes
        // A cut through a character shows as U+FFFD.
        let text = String(decoding: bytes.prefix(sampleLimit.bytes), as: UTF8.self)
        return Sample(step: file.step, text: text, isCut: isCut)
      }
    }
  }

  /// At most `limit` elements at even distances, the first and the last among them.
  private static func evenly<Element>(_ elements: [Element], limit: Int) -> [Element] {
    guard elements.count > limit else { return elements }
    return (0..<limit).map { elements[$0 * (elements.count - 1) / (limit - 1)] }
  }
}

import NablaFormats

/// What a run folder holds, read once for all sections.
struct ReportSource {
  /// What the model produced after a step.
  struct Sample {
    var step: Int
    var contents: Contents

    enum Contents {
      /// isCut: whether it is only the beginning of the file.
      case text(String, isCut: Bool)
      /// A PNG file.
      case picture([UInt8])
    }
  }

  var path: String
  var command: String
  var configuration: JSONValue
  var metrics: RunMetrics
  /// In the order of their steps.
  var samples: [Sample]
  var analysis: Analysis?
  var policy: PolicyAnalysis?
  /// The runs of a study of several seeds or algorithms, by algorithm in order.
  var seedGroups: [SeedGroup]

  /// The runs of one algorithm.
  struct SeedGroup {
    struct Run {
      var seed: String
      var metrics: RunMetrics
    }
    var algorithm: String
    var runs: [Run]
  }

  /// The last part of the path.
  var name: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// The most samples a page shows, the most bytes of a text, and of all pictures together.
  static let sampleLimit = (count: 200, bytes: 20_000, pictureBytes: 8_000_000)

  init(_ run: RunFolder) throws {
    path = run.path
    command = run.command
    let description = try JSONValue(contentsOfFile: run.configurationPath)
    configuration = description["configuration"] ?? description
    metrics = try RunMetrics(contentsOfFile: run.metricsPath)
    samples = try Self.readSamples(run.samplesPath)
    analysis = try Analysis(contentsOfFile: Analysis.path(in: run))
    policy = try PolicyAnalysis(contentsOfFile: PolicyAnalysis.path(in: run))
    seedGroups = try Self.readSeedGroups(configuration, in: run.path)
  }

  /// Follows the `members` of a study's configuration into its subfolders; those that have not begun are left out.
  private static func readSeedGroups(_ configuration: JSONValue, in path: String) throws -> [SeedGroup] {
    var groups: [SeedGroup] = []
    for member in configuration["members"]?.array ?? [] {
      guard let folder = member["folder"]?.string, !folder.contains("/"), folder != "..",
        let algorithm = member["setup"]?["algorithm"]?.string
      else { continue }
      let metrics = try RunMetrics(contentsOfFile: "\(path)/\(folder)/metrics.jsonl")
      if metrics.names.isEmpty { continue }
      let seed = member["setup"]?["settings"]?["seed"]?.integer.map { "\($0)" } ?? folder
      if groups.last?.algorithm != algorithm { groups.append(SeedGroup(algorithm: algorithm, runs: [])) }
      groups[groups.count - 1].runs.append(.init(seed: seed, metrics: metrics))
    }
    return groups
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
      guard name.hasPrefix("step-"), name.hasSuffix(".txt") || name.hasSuffix(".png") else { return nil }
      return Int(name.dropFirst(5).dropLast(4)).map { ($0, name) }
    }.sorted { $0.step < $1.step }
    let shown = evenly(files, limit: sampleLimit.count)
    return try shown.compactMap { file in
      try MappedFile(path: "\(folder)/\(file.name)").withBytes { bytes in
        if file.name.hasSuffix(".png") {
          // The page holds them all: a picture that is larger than its share is left out.
          guard bytes.count <= sampleLimit.pictureBytes / shown.count else { return nil }
          return Sample(step: file.step, contents: .picture(Array(bytes)))
        }
        // A cut through a character shows as U+FFFD.
        let text = String(decoding: bytes.prefix(sampleLimit.bytes), as: UTF8.self)
        return Sample(step: file.step, contents: .text(text, isCut: bytes.count > sampleLimit.bytes))
      }
    }
  }

  /// At most `limit` elements at even distances, the first and the last among them.
  private static func evenly<Element>(_ elements: [Element], limit: Int) -> [Element] {
    guard elements.count > limit else { return elements }
    return (0..<limit).map { elements[$0 * (elements.count - 1) / (limit - 1)] }
  }
}

import FoundationEssentials
import NablaFormats

/// What a run is, in a few words for people. The run writes it as `summary.json`; the report and other pages show it.
public struct RunSummary: Codable, Sendable, Equatable {
  /// What is trained: "6 layers, hidden size 384, 6 heads, context 256".
  public var model: String?
  /// What it is trained on: "corpus.txt and 3 more: 1.12 MB, 1.12 M tokens".
  public var data: String?
  /// Numbers in the model.
  public var parameterCount: Int?
  /// Numbers that are trained, where it is not all of them.
  public var trainedParameterCount: Int?

  public init(
    model: String? = nil, data: String? = nil, parameterCount: Int? = nil, trainedParameterCount: Int? = nil
  ) {
    (self.model, self.data) = (model, data)
    (self.parameterCount, self.trainedParameterCount) = (parameterCount, trainedParameterCount)
  }

  /// "corpus.txt and 3 more".
  package static func names(of paths: [String]) -> String {
    guard let first = paths.first else { return "" }
    let name = first.split(separator: "/").last.map(String.init) ?? first
    return paths.count > 1 ? "\(name) and \(paths.count - 1) more" : name
  }

  private static func path(in run: RunFolder) -> String { "\(run.path)/summary.json" }

  /// Writes `summary.json` into the run folder, replacing the one that is there.
  public func write(to run: RunFolder) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
    try AtomicFile.write(Array(try encoder.encode(self)) + [UInt8(ascii: "\n")], to: Self.path(in: run))
  }

  /// The summary of a run; nil where it has none that can be read, as those of earlier versions.
  public init?(of run: RunFolder) {
    guard let file = try? MappedFile(path: Self.path(in: run)),
      let summary = try? JSONDecoder().decode(RunSummary.self, from: file.withBytes { Data($0) })
    else { return nil }
    self = summary
  }
}

import FoundationEssentials
import NablaFormats
import NablaReport
import NablaTraining

extension Analysis {
  static func path(in run: RunFolder) -> String { "\(run.path)/analysis.json" }

  /// Writes `analysis.json` into the run folder, replacing the one that is there.
  public func write(to run: RunFolder) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(Array(try encoder.encode(self)), to: Self.path(in: run))
  }

  /// Reads a file and checks that its parts fit together; nil when there is none.
  ///
  /// - Throws: ``ReportError`` that names the file and the part, or ``FileError``.
  package init?(contentsOfFile path: String) throws {
    guard pathExists(path) else { return nil }
    let bytes = try MappedFile(path: path).withBytes { Data($0) }
    do {
      self = try JSONDecoder().decode(Analysis.self, from: bytes)
    } catch let error as DecodingError {
      throw ReportError(kind: .badAnalysis(file: path, place: error.place, problem: error.problem))
    }
    if let (place, problem) = misfit() {
      throw ReportError(kind: .badAnalysis(file: path, place: place, problem: problem))
    }
  }

  /// The first part that does not fit the others.
  private func misfit() -> (place: String, problem: String)? {
    let area = tokens.count.multipliedReportingOverflow(by: tokens.count)
    for (layerIndex, layer) in attention.enumerated() {
      for (headIndex, head) in layer.heads.enumerated() where area.overflow || head.weights.count != area.partialValue {
        return (
          "attention[\(layerIndex)].heads[\(headIndex)].weights",
          "\(head.weights.count) bytes for \(tokens.count) tokens, expected \(tokens.count)²"
        )
      }
    }
    guard let positions else { return nil }
    let size = positions.rows.multipliedReportingOverflow(by: positions.columns)
    guard positions.rows >= 0, positions.columns >= 0, !size.overflow, size.partialValue == positions.values.count
    else {
      return (
        "positions.values",
        "\(positions.values.count) bytes, expected rows × columns = \(positions.rows) × \(positions.columns)"
      )
    }
    return nil
  }
}

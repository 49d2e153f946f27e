import NablaFormats
import NablaTraining

/// The contents of a run folder, read once for all sections.
public struct RunContents {
  /// What the model produced after a step.
  public struct Sample: Sendable {
    public var step: Int
    public var contents: Contents

    public enum Contents: Sendable {
      /// isCut: whether it is only the beginning of the file.
      case text(String, isCut: Bool)
      /// A PNG file.
      case picture([UInt8])
    }
  }

  public let folder: RunFolder
  public let metrics: RunMetrics
  /// In the order of their steps.
  public let samples: [Sample]

  public var path: String { folder.path }
  public var command: String { folder.command }

  /// The last part of the path.
  public var name: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// The maximum number of samples on a page, of bytes of a text, and of bytes of all images together.
  static let sampleLimit = (count: 200, bytes: 20_000, pictureBytes: 8_000_000)

  /// - Throws: What reading the run's files throws.
  public init(_ folder: RunFolder) throws {
    self.folder = folder
    metrics = try RunMetrics(contentsOfFile: folder.metricsPath)
    samples = try Self.readSamples(folder.samplesPath)
  }

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
          // The page holds them all: an image that is larger than its share is left out.
          guard bytes.count <= sampleLimit.pictureBytes / shown.count else { return nil }
          return Sample(step: file.step, contents: .picture(Array(bytes)))
        }
        // A truncated character shows as U+FFFD.
        let text = String(decoding: bytes.prefix(sampleLimit.bytes), as: UTF8.self)
        return Sample(step: file.step, contents: .text(text, isCut: bytes.count > sampleLimit.bytes))
      }
    }
  }

  /// At most `limit` elements evenly spaced, including the first and the last.
  private static func evenly<Element>(_ elements: [Element], limit: Int) -> [Element] {
    guard elements.count > limit else { return elements }
    return (0..<limit).map { elements[$0 * (elements.count - 1) / (limit - 1)] }
  }
}

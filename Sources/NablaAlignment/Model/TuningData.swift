import Glibc
import NablaFormats
import NablaLanguage
import NablaText
import NablaTraining

/// The rows that a model is fine-tuned on, audited, and their encoding.
public struct TuningData: Sendable {
  /// Its description in `config.json`.
  public struct Description: Codable, Sendable, Hashable {
    public var files: [String]
    /// Replaces the model's own chat template.
    public var template: String?
    public var truncation: Truncation
    /// Seconds since 1970 that a template's date shows.
    public var date: Int
    /// Of the rows; nil until they are read.
    public var hash: String?

    public init(files: [String], template: String? = nil, truncation: Truncation = .keepStart) {
      self.files = files.map(absolutePath)
      (self.template, self.truncation) = (template, truncation)
      date = time(nil)
    }

    /// The rows of a resumed run, even if they have moved along with the run.
    func located(of run: String) throws -> Description {
      var copy = self
      copy.files = try files.map { try RunFolder.locate($0, of: run) }
      return copy
    }
  }

  public let description: Description
  public let encoder: ExampleEncoder
  public let training: Dataset
  public let heldOut: Dataset
  /// The audit's warnings, with which training may proceed.
  public internal(set) var warnings: [String]

  /// - Parameters:
  ///   - description: the files, and how they are encoded; a hash in it must be that of the rows.
  ///   - c: the maximum length, the held-out fraction and the seed that draws it.
  ///   - trained: gives tokenizer, chat template and context.
  ///   - dropsTruncated: whether the trainer leaves out the rows that lose their ends (`wholePairs`).
  /// - Throws: ``AlignmentError``, also when the rows do not match the hash; `DatasetError` that names file and line.
  public init(
    _ description: Description, _ c: TuningConfiguration, for trained: TrainedModel, dropsTruncated: Bool = false
  ) throws {
    let context = trained.model.configuration.context
    if c.maximumLength > context { throw AlignmentError.maximumLength(asked: c.maximumLength, context: context) }
    encoder = try ExampleEncoder(
      trained.text, template: description.template, maximumLength: c.maximumLength, truncation: description.truncation,
      date: description.date)
    let dataset = try Dataset.read(description.files)
    let hash = dataset.contentHash()
    if let known = description.hash, known != hash { throw AlignmentError.otherData(files: description.files) }
    self.description = description
    self.hash = hash
    let audit = DatasetAudit(dataset, encoder)
    let findings = audit.findings.map { finding in
      let places = finding.places.map(\.description).joined(separator: "; ")
      return (finding.kind.isFatal, "\(finding.kind.rawValue) (\(finding.count)): \(finding.message) (\(places))")
    }
    let fatal = findings.filter(\.0).map(\.1)
    if !fatal.isEmpty { throw AlignmentError.unsound(findings: fatal) }
    if !audit.isSound {
      throw AlignmentError.noRows(files: description.files, reason: "nothing is learned within the maximum length")
    }
    var warnings = findings.map(\.1)
    let losesEnds = dropsTruncated && description.truncation == .keepStart
    let truncated = losesEnds ? 0 : audit.truncatedCount
    let dropped = audit.droppedCount + (losesEnds ? audit.truncatedCount : 0)
    for (count, fate) in [(truncated, "truncated"), (dropped, "dropped")] where count > 0 {
      let rows = count == 1 ? "1 row is" : "\(count) rows are"
      warnings.append("\(rows) \(fate): longer than the maximum length of \(c.maximumLength) tokens")
    }
    self.warnings = warnings
    (training, heldOut) = dataset.split(heldOutFraction: c.heldOutFraction, seed: c.seed)
  }

  /// Of all rows.
  public let hash: String

  /// The description with the hash, for `config.json`.
  public var hashed: Description {
    var copy = description
    copy.hash = hash
    return copy
  }
}

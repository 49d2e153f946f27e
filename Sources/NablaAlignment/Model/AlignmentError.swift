import NablaText
import NablaTraining

/// Why a model cannot be fine-tuned on some data.
public enum AlignmentError: SettingError, Equatable {
  /// The audit found what would train wrong; its findings in words.
  case unsound(findings: [String])
  /// The rows have another shape than the trainer needs.
  case shape(place: DatasetPlace, found: DatasetShape, needed: String)
  /// All rows were left out, or held out.
  case noRows(files: [String], reason: String)
  case otherData(files: [String])
  case otherAdapter(path: String)
  case maximumLength(asked: Int, context: Int)

  public var message: SettingMessage {
    switch self {
    case .unsound(let findings):
      """
      training on this data would go wrong:
      \(findings.map { "  " + $0 }.joined(separator: "\n"))
      """
    case .shape(let place, let found, let needed):
      "\(place): the row is \(found.rawValue); this training needs \(needed)"
    case .noRows(let files, let reason): "\(files.joined(separator: ", ")): no rows are left to train on: \(reason)"
    case .otherData(let files):
      "\(files.joined(separator: ", ")): the data has changed since the run began: put back what it was trained on"
    case .otherAdapter(let path):
      "\(path): the adapter that the run started from has changed: its reference would be another"
    case .maximumLength(let asked, let context):
      "\(setting: "max-length") is \(asked), and the model's context \(context): give \(context) or less"
    }
  }
}

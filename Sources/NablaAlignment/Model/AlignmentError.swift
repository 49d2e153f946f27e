import NablaText
import NablaTraining

/// Why a model cannot be fine-tuned on a dataset.
public enum AlignmentError: SettingError, Equatable {
  /// The audit found errors in the data; its findings in words.
  case unsound(findings: [String])
  /// The rows do not have the shape that the trainer requires.
  case shape(place: DatasetPlace, found: DatasetShape, needed: String)
  /// All rows were dropped or held out.
  case noRows(files: [String], reason: String)
  case otherData(files: [String])
  case otherAdapter(path: String)
  case otherRewardModel(path: String)
  case maximumLength(asked: Int, context: Int)

  public var message: SettingMessage {
    switch self {
    case .unsound(let findings):
      """
      training on this data would go wrong:
      \(findings.map { "  " + $0 }.joined(separator: "\n"))
      """
    case .shape(let place, let found, let needed):
      "\(place): the row is \(found.rawValue); this trainer requires \(needed)"
    case .noRows(let files, let reason): "\(files.joined(separator: ", ")): no rows are left to train on: \(reason)"
    case .otherData(let files):
      "\(files.joined(separator: ", ")): the data has changed since the run started: restore the original data"
    case .otherAdapter(let path):
      "\(path): the adapter that the run started from has changed, and with it the reference"
    case .otherRewardModel(let path):
      "\(path): the reward model has changed since the run started: restore the original weights"
    case .maximumLength(let asked, let context):
      "\(setting: "max-length") is \(asked), but the model's context is \(context): use \(context) or less"
    }
  }
}

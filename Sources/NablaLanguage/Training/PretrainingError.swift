import NablaTraining

/// Why a model cannot be trained on a text.
public enum PretrainingError: SettingError {
  case otherData(paths: [String])
  case corpusTooShort(tokens: Int, training: Int, context: Int)

  public var message: SettingMessage {
    switch self {
    case .otherData(let paths):
      """
      the text in \(paths.joined(separator: ", ")) is not what this run was trained on: restore it, or continue with the \
      new text with \(setting: "allow-other-data")
      """
    case .corpusTooShort(let tokens, let training, let context):
      """
      the text has \(tokens) tokens, \(training) of them to train on, and a context of \(context) needs more than \
      \(context): give more text, or a shorter \(setting: "context")
      """
    }
  }
}

/// Why a run cannot begin, continue or be used.
public enum TrainingError: SettingError, Equatable {
  case otherCommand(path: String, command: String, expected: String)
  case noCheckpoint(path: String)
  /// The configuration names a file that is nowhere.
  case fileOfRunIsMissing(run: String, file: String)
  case diverged(step: Int, reason: String, run: String)

  public var message: SettingMessage {
    switch self {
    case .otherCommand(let path, let command, let expected):
      "\(path) is a run of 'nabla \(command)', not of 'nabla \(expected)'"
    case .noCheckpoint(let path): "\(path) has no checkpoint that can be read: start anew in another folder"
    case .fileOfRunIsMissing(let run, let file):
      """
      \(run)/config.json names \(file), which is not there, nor is the end of that path in a folder above the run: put it \
      back, or correct that line
      """
    case .diverged(let step, let reason, let run):
      """
      training has diverged at step \(step): \(reason). Restart with a lower \(setting: "learning-rate") or a longer \
      warmup; see \(run)/metrics.jsonl and the checkpoints
      """
    }
  }
}

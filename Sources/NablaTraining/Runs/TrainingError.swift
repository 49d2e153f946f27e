/// Why a run cannot begin, continue or be used.
public enum TrainingError: SettingError, Equatable {
  case otherCommand(path: String, command: String, expected: String)
  case noCheckpoint(path: String)
  /// The configuration names a missing file.
  case fileOfRunIsMissing(run: String, file: String)
  case diverged(step: Int, reason: String, run: String)

  public var message: SettingMessage {
    switch self {
    case .otherCommand(let path, let command, let expected):
      "\(path) is a run of 'nabla \(command)', not of 'nabla \(expected)'"
    case .noCheckpoint(let path): "\(path) has no readable checkpoint: start a new run in another folder"
    case .fileOfRunIsMissing(let run, let file):
      """
      \(run)/config.json names \(file), which does not exist, and no folder above the run contains the end of that \
      path: restore the file, or correct that line
      """
    case .diverged(let step, let reason, let run):
      """
      training has diverged at step \(step): \(reason). Restart with a lower \(setting: "learning-rate") or a longer \
      warmup; see \(run)/metrics.jsonl and the checkpoints
      """
    }
  }
}

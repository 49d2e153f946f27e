/// Why a run cannot go on.
public enum PretrainingError: Error, CustomStringConvertible, Sendable {
  case otherCommand(path: String, command: String)
  case noCheckpoint(path: String)
  case otherData(paths: [String])
  case corpusTooShort(tokens: Int, training: Int, context: Int)
  case diverged(step: Int, reason: String, run: String)

  public var description: String {
    switch self {
    case .otherCommand(let path, let command): "\(path) is a run of 'nabla \(command)', not of 'nabla pretrain'"
    case .noCheckpoint(let path): "\(path) has no checkpoint that can be read: start anew in another folder"
    case .otherData(let paths):
      "the text in \(paths.joined(separator: ", ")) is not what this run was trained on: restore it, or go on with the "
        + "new text with --allow-other-data"
    case .corpusTooShort(let tokens, let training, let context):
      "the text has \(tokens) tokens, \(training) of them to train on, and a context of \(context) needs more than "
        + "\(context): give more text, or a shorter --context"
    case .diverged(let step, let reason, let run):
      "training has diverged at step \(step): \(reason). Start anew with a lower --learning-rate or a longer "
        + "--warmup; \(run)/metrics.jsonl and the checkpoints show how it went"
    }
  }
}

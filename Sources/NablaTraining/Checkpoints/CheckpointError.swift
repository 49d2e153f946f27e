/// A checkpoint folder that must not be loaded, and why.
public struct CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
  public var path: String
  public var reason: String

  public var description: String { "the checkpoint \(path) cannot be used: \(reason)" }
}

/// A checkpoint that could not be written. Existing files are unchanged.
public struct CheckpointSaveError: Error, CustomStringConvertible {
  public var step: Int
  /// The folder of checkpoints.
  public var folder: String
  public var cause: any Error
  /// The newest checkpoint that remains.
  public var previousStep: Int?

  public var description: String {
    let rest = previousStep.map { "the checkpoint of step \($0) is intact" } ?? "no checkpoint exists yet"
    return "step \(step) was not saved in \(folder): \(cause); \(rest)"
  }
}

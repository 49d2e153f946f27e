extension RunFolder {
  /// The newest checkpoint that verifies; nil if there is none yet.
  ///
  /// - Parameter warn: Called for newer ones that cannot be used.
  /// - Throws: ``TrainingError/noCheckpoint(path:)`` when there are checkpoints and none can be used.
  public func newestCheckpoint(warn: (String) throws -> Void = { _ in }) throws -> Checkpoint? {
    let (checkpoint, rejected) = try CheckpointStore.newestValid(in: checkpointsPath)
    for problem in rejected { try warn("\(problem)\(checkpoint == nil ? "" : "; using an earlier one")") }
    if checkpoint == nil, !rejected.isEmpty { throw TrainingError.noCheckpoint(path: path) }
    return checkpoint
  }
}

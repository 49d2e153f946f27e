import NablaFormats

/// The folder of a run's checkpoints: `step-00000100/`, `step-00000200/`, …
///
/// Saves are atomic: the files go to a temporary sibling folder, the manifest is written last, everything
/// is flushed to disk, and only then is the folder renamed. A kill or a power cut at any moment leaves
/// the earlier checkpoints intact.
///
/// ```swift
/// let store = try CheckpointStore(folder: run.checkpointsPath)
/// try store.save(step: 100, metric: validationLoss) { folder in
///   try SafetensorsFile.write(tensors, to: "\(folder)/model.safetensors")
/// }
/// let (checkpoint, rejected) = try CheckpointStore.newestValid(in: run.checkpointsPath)
/// ```
public struct CheckpointStore: Sendable {
  public let folder: String
  /// How many of the newest checkpoints to keep.
  public let newestCount: Int
  /// Whether the checkpoint with the lowest metric is kept too.
  public let keepsBest: Bool

  /// Opens a folder for saving, creates it if needed, and removes what a killed writer left behind.
  public init(folder: String, newestCount: Int = 2, keepsBest: Bool = false) throws(FileError) {
    precondition(newestCount >= 1, "CheckpointStore: newestCount must be at least 1")
    self.folder = folder
    self.newestCount = newestCount
    self.keepsBest = keepsBest
    try createFolders(folder)
    try AtomicFolder.removeLeftovers(in: folder)
  }

  /// Saves one checkpoint, then removes those that are no longer to be kept.
  ///
  /// - Parameters:
  ///   - step: The number of steps done. A checkpoint of the same step is replaced.
  ///   - metric: Lower is better; a non-finite value counts as none.
  ///   - writeFiles: Writes the files into the folder it is given.
  /// - Throws: ``CheckpointSaveError`` when `writeFiles` or the disk fails; then nothing has changed.
  @discardableResult
  public func save(
    step: Int, metric: Double? = nil, _ writeFiles: (_ folder: String) throws -> Void
  ) throws -> Checkpoint {
    precondition(step >= 0, "CheckpointStore.save: the step \(step) is negative")
    let path = "\(folder)/\(Self.folderName(step: step))"
    let manifest: CheckpointManifest
    do {
      manifest = try AtomicFolder.write(to: path) { temporary in
        try writeFiles(temporary)
        let metric = metric.flatMap { $0.isFinite ? $0 : nil }
        let manifest = try CheckpointManifest(describing: temporary, step: step, metric: metric)
        try AtomicFile.write(manifest.serialized(), to: "\(temporary)/\(CheckpointManifest.fileName)")
        return manifest
      }
    } catch {
      let previous = try? Self.steps(in: folder).last
      throw CheckpointSaveError(step: step, folder: folder, cause: error, previousStep: previous)
    }
    try prune(upTo: step)
    return Checkpoint(path: path, manifest)
  }

  /// Removes the checkpoints after a step. A resumed run calls it, so that neither a damaged checkpoint nor
  /// one of an abandoned branch is ever taken for the newest.
  public func discard(after step: Int) throws(FileError) {
    for later in try Self.steps(in: folder) where later > step { try remove(later) }
  }

  private func prune(upTo step: Int) throws(FileError) {
    let steps = try Self.steps(in: folder).filter { $0 <= step }
    var kept = Set(steps.suffix(newestCount))
    if keepsBest {
      let measured = steps.compactMap { step -> (step: Int, metric: Double)? in
        let path = "\(folder)/\(Self.folderName(step: step))"
        return (try? CheckpointManifest(readingFrom: path))?.metric.map { (step, $0) }
      }
      // Among equals the latest, which has seen the most data.
      if let best = measured.reversed().min(by: { $0.metric < $1.metric }) { kept.insert(best.step) }
    }
    for step in steps where !kept.contains(step) { try remove(step) }
  }

  private func remove(_ step: Int) throws(FileError) {
    try AtomicFolder.remove("\(folder)/\(Self.folderName(step: step))")
  }
}

extension CheckpointStore {
  /// The newest checkpoint that verifies, and the newer ones that did not, to report to the user. Nil when there
  /// is none. Read-only.
  public static func newestValid(
    in folder: String
  ) throws(FileError) -> (checkpoint: Checkpoint?, rejected: [CheckpointError]) {
    var rejected: [CheckpointError] = []
    for step in try steps(in: folder).reversed() {
      let path = "\(folder)/\(folderName(step: step))"
      do {
        let checkpoint = try Checkpoint(verifying: path)
        if checkpoint.step == step { return (checkpoint, rejected) }
        rejected.append(CheckpointError(path: path, reason: "its manifest is of step \(checkpoint.step)"))
      } catch {
        rejected.append(error)
      }
    }
    return (nil, rejected)
  }

  /// The steps that have a folder, complete or not, in ascending order.
  public static func steps(in folder: String) throws(FileError) -> [Int] {
    try folderEntries(folder).compactMap { name in
      guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)), folderName(step: step) == name else {
        return nil
      }
      return step
    }.sorted()
  }

  static func folderName(step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }
}

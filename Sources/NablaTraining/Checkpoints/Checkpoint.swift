import NablaFormats

/// One saved state of a training run: a folder of files verified by its manifest.
public struct Checkpoint: Sendable, Equatable {
  public let path: String
  /// The number of steps done when it was saved.
  public let step: Int
  /// The metric that decides which checkpoint is best, lower being better; nil if none was given.
  public let metric: Double?

  /// Opens a checkpoint folder and verifies every byte of it.
  public init(verifying path: String) throws(CheckpointError) {
    let manifest = try CheckpointManifest(readingFrom: path)
    try manifest.verify(path)
    self.init(path: path, manifest)
  }

  init(path: String, _ manifest: CheckpointManifest) {
    self.path = path
    step = manifest.step
    metric = manifest.metric
  }

  /// The path of one of its files.
  public func file(_ name: String) -> String { "\(path)/\(name)" }
}

import FoundationEssentials
import NablaFormats

/// The folder of one training run, and its layout.
///
/// ```
/// config.json            the command and its configuration
/// metrics.jsonl          one flat JSON object per line
/// events.out.tfevents.*  the same for TensorBoard
/// checkpoints/step-…/    saved states
/// samples/step-….txt     samples from the model during training
/// summary.json           what is trained on what, for people
/// report.html            charts of all that
/// ```
///
/// A run that is open for writing is locked: a second process that tries to write it is refused.
public final class RunFolder: Sendable {
  public let path: String
  /// The command that made the run: "pretrain", "dpo", …
  public let command: String

  package let configuration: JSONValue
  private let lock: FolderLock?

  public var configurationPath: String { "\(path)/config.json" }
  public var metricsPath: String { "\(path)/metrics.jsonl" }
  public var checkpointsPath: String { "\(path)/checkpoints" }
  public var samplesPath: String { "\(path)/samples" }
  public var reportPath: String { "\(path)/report.html" }

  static let formatVersion = 1

  private init(path: String, command: String, configuration: JSONValue, lock: FolderLock?) {
    self.path = path
    self.command = command
    self.configuration = configuration
    self.lock = lock
  }

  deinit { lock?.release() }

  /// Creates a new run, open for writing.
  ///
  /// - Parameters:
  ///   - path: A folder that does not exist or is empty; nil picks `runs/COMMAND-DATE-N` with the first free N.
  ///   - command: What makes the run, such as `pretrain`; kept in `config.json`.
  ///   - configuration: Saved in `config.json`.
  /// - Throws: ``RunFolderError``, `FileError`, or what encoding the configuration throws.
  public static func create(
    at path: String? = nil, command: String, configuration: some Encodable
  ) throws -> RunFolder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let encoded = try JSONValue(parsing: Array(encoder.encode(configuration)))

    let isNew = path.map { !pathExists($0) } ?? true
    let path = try path ?? createNumberedFolder(command: command)
    try createFolders(path)
    let names = try folderEntries(path)
    guard names.isEmpty else {
      let isRun = (try? open(path)) != nil
      throw RunFolderError(path: path, kind: isRun ? .alreadyARun : .notEmpty(names[0]))
    }
    let lock = try lockForWriting(path)
    let description: JSONValue = [
      "formatVersion": .integer(formatVersion), "command": .string(command), "configuration": encoded,
    ]
    do {
      try createFolders("\(path)/checkpoints")
      try createFolders("\(path)/samples")
      try AtomicFile.write(description.serialized(.indented) + "\n", to: "\(path)/config.json")
    } catch {
      // Leave no partial run: a second attempt would be refused.
      for part in isNew ? [path] : ["\(path)/checkpoints", "\(path)/samples"] { try? removeTree(part) }
      throw error
    }
    return RunFolder(path: path, command: command, configuration: encoded, lock: lock)
  }

  /// Opens a run for reading: to generate, evaluate, or report.
  public static func open(_ path: String) throws -> RunFolder {
    let (command, configuration) = try readDescription(path)
    return RunFolder(path: path, command: command, configuration: configuration, lock: nil)
  }

  /// Opens a run to continue it; fails while another process writes it.
  public static func openForWriting(_ path: String) throws -> RunFolder {
    let (command, configuration) = try readDescription(path)
    let run = RunFolder(path: path, command: command, configuration: configuration, lock: try lockForWriting(path))
    for folder in [run.path, run.samplesPath] where isFolder(folder) { try AtomicFolder.removeLeftovers(in: folder) }
    return run
  }

  /// The saved configuration.
  public func configuration<T: Decodable>(as type: T.Type) throws -> T {
    do {
      return try JSONDecoder().decode(type, from: Data(configuration.serialized().utf8))
    } catch {
      throw RunFolderError(path: path, kind: .badConfiguration("\(error)"))
    }
  }

  /// Replaces the saved configuration, if it has changed.
  func saveConfiguration(_ configuration: some Encodable) throws {
    let encoded = NablaFormats.encoded(configuration)
    let file = "\(path)/config.json"
    guard var description = try JSONValue(contentsOfFile: file).object, description["configuration"] != encoded else {
      return
    }
    description["configuration"] = encoded
    try AtomicFile.write(JSONValue.object(description).serialized(.indented) + "\n", to: file)
  }

  /// Saves a sample of the model after a step as `samples/step-00000100.txt` and returns the path.
  @discardableResult
  public func writeSample(_ sample: RunSample, step: Int) throws -> String {
    try createFolders(samplesPath)
    let file = "\(samplesPath)/\(CheckpointStore.folderName(step: step)).\(sample.kind)"
    try AtomicFile.write(sample.contents, to: file)
    return file
  }

  private static func lockForWriting(_ path: String) throws(RunFolderError) -> FolderLock {
    guard let lock = FolderLock(path) else { throw RunFolderError(path: path, kind: .inUse) }
    return lock
  }

  private static func readDescription(_ path: String) throws -> (command: String, configuration: JSONValue) {
    guard pathExists(path) else { throw RunFolderError(path: path, kind: .missing) }
    let file = "\(path)/config.json"
    guard pathExists(file) else { throw RunFolderError(path: path, kind: .notARun) }
    let json = try JSONValue(contentsOfFile: file)
    guard let version = json["formatVersion"]?.integer, let command = json["command"]?.string,
      let configuration = json["configuration"]
    else {
      throw RunFolderError(path: path, kind: json["model_type"] == nil ? .notARun : .modelFolder)
    }
    guard version == formatVersion else { throw RunFolderError(path: path, kind: .otherVersion(version)) }
    return (command, configuration)
  }
}

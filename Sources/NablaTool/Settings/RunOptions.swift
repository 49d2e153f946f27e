import ArgumentParser
import Nabla

/// Flags of every command that trains in a run folder.
struct RunOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Run folder, new or empty (default: runs/COMMAND-DATE-N).", valueName: "folder"), completion: .directory)
  var output: String?
  @Option(
    help: ArgumentHelp("Run folder to resume from its last checkpoint, with its own settings.", valueName: "run"),
    completion: .directory)
  var resume: String?
  @Option(help: ArgumentHelp("Step at which to save and stop; --resume continues.", valueName: "n"))
  var stopAfter: Int?
  @Option(
    help: ArgumentHelp("YAML file of 'flag: value' lines; flags on the command line override it.", valueName: "file"),
    completion: .file(extensions: ["yaml", "yml"]))
  var config: String?
  @Flag(help: "Output of metrics and messages as JSON lines on standard output.")
  var json = false

  func validate() throws {
    if let stopAfter, stopAfter < 1 { throw ValidationError("--stop-after must be at least 1, not \(stopAfter)") }
    if resume != nil, output != nil {
      throw ValidationError("--resume continues in the run's own folder: leave out --output")
    }
  }

  /// Rejects settings given with `--resume`.
  /// - Parameter given: A flag that applies only to a new run.
  func refuse(_ given: String?) throws {
    if resume != nil, let given {
      throw ValidationError("--resume continues with the run's own settings: leave out \(given)")
    }
  }
}

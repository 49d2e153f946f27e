import ArgumentParser
import Nabla

/// Flags of every command that trains in a run folder.
struct RunOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Run folder: new or empty (default: runs/COMMAND-DATE-N).", valueName: "folder"), completion: .directory)
  var output: String?
  @Option(
    help: ArgumentHelp("Continue a run from its last checkpoint, with its own settings.", valueName: "run"),
    completion: .directory)
  var resume: String?
  @Option(help: ArgumentHelp("Stop, saved, at this step of the run; --resume continues.", valueName: "n"))
  var stopAfter: Int?
  @Option(
    help: ArgumentHelp("YAML file of 'flag: value' lines; flags on the command line win.", valueName: "file"),
    completion: .file(extensions: ["yaml", "yml"]))
  var config: String?
  @Flag(help: "Print metrics and messages on standard output, one JSON object a line, for programs to read.")
  var json = false

  func validate() throws {
    if let stopAfter, stopAfter < 1 { throw ValidationError("--stop-after must be at least 1, not \(stopAfter)") }
    if resume != nil, output != nil {
      throw ValidationError("--resume continues in the run's own folder: leave out --output")
    }
  }

  /// Refuses settings beside `--resume`.
  /// - Parameter given: A flag that only a new run can follow.
  func refuse(_ given: String?) throws {
    if resume != nil, let given {
      throw ValidationError("--resume continues with the run's own settings: leave out \(given)")
    }
  }
}

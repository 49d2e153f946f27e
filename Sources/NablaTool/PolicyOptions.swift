import ArgumentParser
import Nabla

/// Every flag of `nabla rl train`.
struct PolicyOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The environment; 'nabla rl list' names them.", valueName: "name"))
  var environment: String?
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("The algorithm, or several to compare (default: ppo).", valueName: "name"))
  var algorithm: [String] = []
  @Option(help: ArgumentHelp("Seeds to train with, from --seed on, one after the other.", valueName: "n"))
  var seeds = 1
  @Option(help: "Settings to start from: nabla's, or those of rl-baselines3-zoo.")
  var preset = Preset.nabla
  @Option(
    help: ArgumentHelp("The run folder: new or empty (default: runs/rl-DATE-N).", valueName: "folder"),
    completion: .directory)
  var output: String?
  @Option(
    help: ArgumentHelp("Go on with a run from its last checkpoint, with its own settings.", valueName: "run"),
    completion: .directory)
  var resume: String?
  @Option(help: ArgumentHelp("Stop, saved, at this step of the run; --resume goes on.", valueName: "n"))
  var stopAfter: Int?
  @Option(
    help: ArgumentHelp("Environment steps between checkpoints; 0 for the last only (default: 100000).", valueName: "n"))
  var checkpointEvery: Int?
  @Option(
    help: ArgumentHelp(
      "Read flags from a YAML file of 'flag: value' lines; what is given here wins.", valueName: "file"),
    completion: .file(extensions: ["yaml", "yml"]))
  var config: String?
  @Flag(help: "Print progress and messages on standard output, one JSON object a line, for programs to read.")
  var json = false

  @OptionGroup(title: "Settings (defaults are the preset's)") var settings: PolicySettings
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  enum Preset: String, CaseIterable, ExpressibleByArgument { case nabla, zoo }

  func validate() throws {
    if !(1...10_000).contains(seeds) { throw ValidationError("--seeds must be between 1 and 10000, not \(seeds)") }
    if let stopAfter, stopAfter < 1 { throw ValidationError("--stop-after must be at least 1, not \(stopAfter)") }
    if resume != nil {
      if output != nil { throw ValidationError("--resume goes on in the run's own folder: leave out --output") }
      let given =
        settings.changes.first?.flag ?? (algorithm.isEmpty ? nil : "--algorithm") ?? (seeds == 1 ? nil : "--seeds")
        ?? (settings.seed == nil ? nil : "--seed") ?? (checkpointEvery == nil ? nil : "--checkpoint-every")
      if let given { throw ValidationError("--resume goes on with the run's own settings: leave out \(given)") }
    } else if environment == nil {
      throw ValidationError("say where to train with --environment NAME; 'nabla rl list' names them")
    }
  }

  var seedList: [UInt64] { (0..<UInt64(seeds)).map { (settings.seed ?? 1) &+ $0 } }

  /// What to train: one setup for each algorithm.
  func setups() throws -> [PolicySetup] {
    do {
      return try (algorithm.isEmpty ? ["ppo"] : algorithm).map { name in
        var setup = try PolicySetup(environment: environment ?? "", algorithm: name)
        if preset == .zoo {
          guard name == "ppo" else { throw LearningError.badSetting("--preset zoo has settings for ppo only") }
          setup.settings = Presets.zoo(for: setup.environment)
        }
        try setup.change(settings.changes)
        setup.settings.seed = seedList[0]
        setup.checkpointEvery = checkpointEvery ?? setup.checkpointEvery
        try setup.validate()
        return setup
      }
    } catch let error as LearningError {
      throw ValidationError("\(error)")
    } catch let error as EnvironmentError {
      throw ValidationError("\(error)")
    }
  }
}

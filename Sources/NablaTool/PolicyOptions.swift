import ArgumentParser
import Nabla

/// Every flag of `nabla rl train`.
struct PolicyOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Environment; 'nabla rl list' lists them.", valueName: "name"))
  var environment: String?
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Algorithm, or several to compare (default: ppo).", valueName: "name"))
  var algorithm: [String] = []
  @Option(help: ArgumentHelp("Number of seeds, counting up from --seed, one run each.", valueName: "n"))
  var seeds = 1
  @Option(help: "Preset of settings: nabla's, or those of rl-baselines3-zoo (default: nabla).")
  var preset: Preset?
  @OptionGroup var run: RunOptions
  @Option(
    help: ArgumentHelp("Environment steps between checkpoints; 0 for only the last (default: 100000).", valueName: "n"))
  var checkpointEvery: Int?

  @OptionGroup(title: "Settings (defaults are the preset's)") var settings: SettingFlags<AlgorithmSettings>
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  enum Preset: String, CaseIterable, ExpressibleByArgument { case nabla, zoo }

  /// The settings of all algorithms; those that not every algorithm has name theirs.
  struct AlgorithmSettings: SettingTable {
    static let flags: [SettingFlag] = {
      func table<C: LearnerConfiguration>(_ configuration: C) -> [SettingFlag] {
        C.settings.map { setting in
          let owners = Algorithm.settingNames.filter { $0.names.contains(setting.name) }.map(\.algorithm)
          let note = owners.count < Algorithm.names.count ? "; \(owners.joined(separator: ", ")) only" : ""
          return SettingFlag(setting, defaults: [("", configuration)], note: note).withoutDefault
        }
      }
      var flags: [SettingFlag] = []
      for flag in table(PPOConfiguration()) + table(A2CConfiguration()) + table(REINFORCEConfiguration())
      where !flags.contains(where: { $0.name == flag.name }) { flags.append(flag) }
      return flags
    }()
  }

  func validate() throws {
    if !(1...10_000).contains(seeds) { throw ValidationError("--seeds must be between 1 and 10000, not \(seeds)") }
    try run.refuse(
      settings.first ?? (algorithm.isEmpty ? nil : "--algorithm") ?? (seeds == 1 ? nil : "--seeds")
        ?? (preset == nil ? nil : "--preset") ?? (checkpointEvery == nil ? nil : "--checkpoint-every"))
    for (i, name) in algorithm.enumerated() where algorithm[..<i].contains(name) {
      throw ValidationError("--algorithm names \(name) twice")
    }
    if seeds > 1 || algorithm.count > 1 { try refuseStopAfter() }
    if settings.given["baseline"] == "false", settings.given["value-coefficient"] != nil {
      throw ValidationError("--no-baseline leaves no value loss to weigh: leave out --value-coefficient")
    }
    if run.resume == nil, environment == nil {
      throw ValidationError("give the environment with --environment NAME; 'nabla rl list' lists them")
    }
  }

  /// Each run of a study has steps of its own.
  func refuseStopAfter() throws {
    if run.stopAfter != nil { throw ValidationError("--stop-after is for a single run: leave it out") }
  }

  /// What to train: one setup for each algorithm.
  func setups() throws -> [PolicySetup] {
    do {
      return try (algorithm.isEmpty ? ["ppo"] : algorithm).map { name in
        var setup = try PolicySetup(environment: environment ?? "", algorithm: name)
        if preset == .zoo {
          guard name == "ppo" else { throw ValidationError("--preset zoo is only for ppo") }
          let zoo = Presets.zoo(for: setup.environment)
          // It knows Gymnasium's environments only.
          guard zoo != PPOConfiguration() else {
            throw ValidationError("rl-baselines3-zoo has no settings for \(setup.environment): leave out --preset zoo")
          }
          setup.settings = zoo
        }
        try setup.change(settings.given)
        setup.checkpointEvery = checkpointEvery ?? setup.checkpointEvery
        try setup.validate(for: EnvironmentDescription.named(setup.environment).actionSpace)
        return setup
      }
    } catch let error as ConfigurationError {
      throw ValidationError(error.message.namingFlags)
    } catch let error as EnvironmentError {
      throw ValidationError("\(error)")
    }
  }
}

extension Algorithm {
  /// The names of each algorithm's settings.
  fileprivate static let settingNames: [(algorithm: String, names: Set<String>)] = [
    (PPOConfiguration.algorithm, Set(PPOConfiguration.settings.map(\.name))),
    (A2CConfiguration.algorithm, Set(A2CConfiguration.settings.map(\.name))),
    (REINFORCEConfiguration.algorithm, Set(REINFORCEConfiguration.settings.map(\.name))),
  ]
}

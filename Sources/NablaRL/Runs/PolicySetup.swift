import NablaTraining

/// What to train: an algorithm with its settings in an environment. Saved as a run's `config.json`.
public struct PolicySetup: Codable, Sendable {
  public var environment: String
  public var settings: any LearnerConfiguration
  /// Environment steps between checkpoints; 0 for the last only.
  public var checkpointEvery = 100_000

  public var algorithm: String { Swift.type(of: settings).algorithm }

  /// Whether every program has its environment, not just the one that trains in it.
  var isInBuiltInEnvironment: Bool { (try? EnvironmentDescription.named(environment)) != nil }

  public init(environment: String, settings: any LearnerConfiguration) {
    (self.environment, self.settings) = (environment, settings)
  }

  /// The preset of an algorithm for an environment.
  /// - Throws: `ConfigurationError` or ``EnvironmentError`` if one of them is unknown.
  public init(environment: String, algorithm: String) throws {
    let environment = try EnvironmentDescription.named(environment).name
    let algorithm = try Algorithm(named: algorithm, for: environment)
    self.init(environment: environment, settings: algorithm.configuration)
  }

  enum CodingKeys: String, CodingKey { case environment, algorithm, settings, checkpointEvery }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let environment = try container.decode(String.self, forKey: .environment)
    let preset = try Algorithm(named: container.decode(String.self, forKey: .algorithm), for: environment)
    func settings<C: LearnerConfiguration>(like _: C) throws -> any LearnerConfiguration {
      try container.decode(C.self, forKey: .settings)
    }
    self.init(environment: environment, settings: try settings(like: preset.configuration))
    checkpointEvery = try container.decode(Int.self, forKey: .checkpointEvery)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(environment, forKey: .environment)
    try container.encode(algorithm, forKey: .algorithm)
    try container.encode(settings, forKey: .settings)
    try container.encode(checkpointEvery, forKey: .checkpointEvery)
  }

  /// - Throws: `ConfigurationError`, which names the setting.
  public func validate(for actionSpace: ActionSpace) throws(ConfigurationError) {
    try settings.validate()
    if actionSpace.isDiscrete, settings.squashesActions || settings.initialLogStandardDeviation != 0 {
      let name = settings.squashesActions ? "squash-actions" : "initial-log-standard-deviation"
      throw ConfigurationError("\(environment) has discrete actions: leave out \(setting: name)")
    }
    try require(checkpointEvery >= 0, "\(setting: "checkpoint-every") must be 0 or more, not \(checkpointEvery)")
  }

  /// Changes settings of the algorithm.
  ///
  /// - Parameter given: Values as text, by the names of settings.
  /// - Throws: `ConfigurationError` for one that the algorithm does not have, or text that is not a valid value of it.
  public mutating func change(_ given: [String: String]) throws(ConfigurationError) {
    func changed<C: LearnerConfiguration>(_ settings: C) throws(ConfigurationError) -> any LearnerConfiguration {
      var settings = settings
      for (name, text) in given.sorted(by: { $0.key < $1.key }) {
        guard C.settings.contains(where: { $0.name == name }) else {
          throw ConfigurationError("\(setting: name) is not a setting of \(C.algorithm): leave it out")
        }
        try settings.set(name, to: text)
      }
      return settings
    }
    settings = try changed(settings)
  }
}

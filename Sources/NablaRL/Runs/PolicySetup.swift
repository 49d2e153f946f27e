import FoundationEssentials
import NablaFormats

/// What is to be trained: an algorithm with its settings in an environment that comes with Nabla. Saved as a run's
/// `config.json`.
public struct PolicySetup: Codable, Sendable {
  public var environment: String
  public var settings: any LearnerConfiguration
  /// Environment steps between checkpoints; 0 for the last only.
  public var checkpointEvery = 100_000

  public var algorithm: String { Swift.type(of: settings).algorithm }

  public init(environment: String, settings: any LearnerConfiguration) {
    (self.environment, self.settings) = (environment, settings)
  }

  /// The preset of an algorithm for an environment.
  /// - Throws: ``LearningError`` or ``EnvironmentError`` where one of them is unknown.
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

  /// - Throws: ``LearningError/badSetting(_:)``, which names the setting, or ``EnvironmentError``.
  public func validate() throws {
    try settings.validate()
    let actionSpace = try EnvironmentDescription.named(environment).actionSpace
    if actionSpace.isDiscrete, settings.squashesActions || settings.initialLogStandardDeviation != 0 {
      throw LearningError.badSetting(
        "\(environment) has discrete actions: leave out "
          + (settings.squashesActions ? "--squash-actions" : "--initial-log-standard-deviation"))
    }
    if checkpointEvery < 0 { throw LearningError.badSetting("--checkpoint-every must be 0 or more") }
  }

  /// Changes settings.
  ///
  /// - Parameter changes: the name of each property, such as "clipRange", the flag to call it by, and its value.
  /// - Throws: ``LearningError/badSetting(_:)`` for one that the algorithm does not have.
  public mutating func change(_ changes: [(name: String, flag: String, value: JSONValue)]) throws {
    func changed<C: LearnerConfiguration>(_ settings: C) throws -> any LearnerConfiguration {
      var object = try JSONValue(parsing: Array(JSONEncoder().encode(settings))).object ?? JSONObject([])
      for change in changes {
        guard object[change.name] != nil else {
          throw LearningError.badSetting("\(change.flag) is no setting of \(algorithm): leave it out")
        }
        object[change.name] = change.value
      }
      do {
        return try JSONDecoder().decode(C.self, from: Data(JSONValue.object(object).serialized().utf8))
      } catch {
        throw LearningError.badSetting(
          "\(changes.map(\.flag).joined(separator: ", ")): a value does not fit its setting")
      }
    }
    if !changes.isEmpty { settings = try changed(settings) }
  }
}

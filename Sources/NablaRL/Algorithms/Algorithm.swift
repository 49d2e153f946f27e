import NablaFormats
import NablaTraining

/// An algorithm and its settings, as saved in a run folder.
public enum Algorithm: Codable, Sendable, Hashable {
  case ppo(PPOConfiguration)
  case a2c(A2CConfiguration)
  case reinforce(REINFORCEConfiguration)

  /// "ppo", "a2c", "reinforce".
  public static let names = [PPOConfiguration.algorithm, A2CConfiguration.algorithm, REINFORCEConfiguration.algorithm]

  /// The algorithm of this name with its settings for an environment.
  /// - Throws: `ConfigurationError`, which suggests the nearest name.
  public init(named name: String, for environment: String) throws(ConfigurationError) {
    switch name {
    case PPOConfiguration.algorithm: self = .ppo(Presets.ppo(for: environment))
    case A2CConfiguration.algorithm: self = .a2c(Presets.a2c(for: environment))
    case REINFORCEConfiguration.algorithm: self = .reinforce(Presets.reinforce(for: environment))
    default:
      let nearest = nearestName(to: name, among: Self.names)
      throw ConfigurationError(
        """
        unknown algorithm '\(name)': did you mean '\(nearest)'? (there are \(Self.names.joined(separator: ", ")))
        """)
    }
  }

  public var configuration: any LearnerConfiguration {
    switch self {
    case .ppo(let c): c
    case .a2c(let c): c
    case .reinforce(let c): c
    }
  }
}

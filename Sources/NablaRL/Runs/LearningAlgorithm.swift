import NablaTraining

/// An algorithm by name.
public struct LearningAlgorithm: Sendable {
  public let name: String
  public let summary: String
  /// Its settings for an environment, known to work where it is one that comes with Nabla.
  public let preset: @Sendable (_ environment: String) -> any LearnerConfiguration
  let type: any LearnerConfiguration.Type

  init<C: LearnerConfiguration>(_ summary: String, _ preset: @escaping @Sendable (String) -> C) {
    (name, self.summary, self.preset, type) = (C.algorithm, summary, preset, C.self)
  }

  /// All of them.
  public static let all = [
    LearningAlgorithm("proximal policy optimization: several epochs on each rollout, clipped") { Presets.ppo(for: $0) }
  ]

  /// - Throws: ``LearningError/badSetting(_:)`` with the nearest name.
  public static func named(_ name: String) throws(LearningError) -> LearningAlgorithm {
    guard let found = all.first(where: { $0.name == name }) else {
      let names = all.map(\.name)
      throw .badSetting(
        "unknown algorithm '\(name)': did you mean '\(nearestName(to: name, among: names))'? (there are "
          + "\(names.joined(separator: ", ")))")
    }
    return found
  }
}

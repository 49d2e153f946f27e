import NablaFormats

/// A configuration whose settings are known by name.
public protocol Configurable: Codable, Sendable {
  static var settings: [Setting<Self>] { get }
  /// Validates combinations of settings; each one alone is already checked.
  func validateTogether() throws(ConfigurationError)
}

extension Configurable {
  public func validateTogether() throws(ConfigurationError) {}

  /// - Throws: ``ConfigurationError`` that names the first invalid setting.
  public func validate() throws(ConfigurationError) {
    for setting in Self.settings { try setting.check(self) }
    try validateTogether()
  }

  /// - Throws: ``ConfigurationError`` for an unknown setting, or text that is not a valid value of it.
  public mutating func set(_ name: String, to text: String) throws(ConfigurationError) {
    guard let setting = Self.settings.first(where: { $0.name == name }) else {
      let nearest = nearestName(to: name, among: Self.settings.map(\.name))
      throw ConfigurationError("there is no setting '\(name)': did you mean '\(setting: nearest)'?")
    }
    try setting.set(&self, text)
  }

  /// The configuration with some settings changed, validated.
  ///
  /// - Parameter given: Values as text, by the names of settings.
  public func changed(_ given: [String: String]) throws(ConfigurationError) -> Self {
    var configuration = self
    for (name, text) in given.sorted(by: { $0.key < $1.key }) { try configuration.set(name, to: text) }
    try configuration.validate()
    return configuration
  }
}

/// Invalid settings, alone or in combination. The message refers to settings by name, such as `learning-rate`;
/// a program with flags or a form shows them in its own form.
///
/// ```swift
/// throw ConfigurationError("\(setting: "warmup") must be at most \(setting: "steps"), not \(warmup)")
/// ```
public struct ConfigurationError: SettingError, Equatable {
  public let message: SettingMessage

  public init(_ message: SettingMessage) { self.message = message }
  public init(problem: String) { message = SettingMessage(stringLiteral: problem) }

  /// The message with the settings by their own names.
  public var problem: String { description }
}

/// An error whose message names settings.
public protocol SettingError: Error, CustomStringConvertible, Sendable {
  var message: SettingMessage { get }
}

extension SettingError {
  public var description: String { message.text { $0 } }
}

/// Text in which the names of settings are marked.
public struct SettingMessage: ExpressibleByStringInterpolation, Sendable, Equatable {
  fileprivate enum Part: Sendable, Equatable {
    case text(String)
    case setting(String)
  }
  private var parts: [Part]

  public init(stringLiteral value: String) { parts = [.text(value)] }
  public init(stringInterpolation: StringInterpolation) { parts = stringInterpolation.parts }

  /// The message with every setting's name as `naming` shows it.
  public func text(naming: (String) -> String) -> String {
    parts.map { part in
      switch part {
      case .text(let text): text
      case .setting(let name): naming(name)
      }
    }.joined()
  }

  public struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var parts: [Part] = []

    public init(literalCapacity: Int, interpolationCount: Int) {}
    /// Neighboring texts are one, so that equal messages are equal.
    public mutating func appendLiteral(_ literal: String) {
      if case .text(let text) = parts.last {
        parts[parts.count - 1] = .text(text + literal)
      } else {
        parts.append(.text(literal))
      }
    }
    public mutating func appendInterpolation(_ value: some Any) { appendLiteral("\(value)") }
    /// The name of a setting.
    public mutating func appendInterpolation(setting name: String) { parts.append(.setting(name)) }
  }
}

/// - Throws: ``ConfigurationError`` with the message unless the condition holds.
package func require(
  _ condition: Bool, _ message: @autoclosure () -> SettingMessage
) throws(ConfigurationError) {
  if !condition { throw ConfigurationError(message()) }
}

/// A type that a setting can have, with its conversion from and to text.
public protocol SettingValue: Sendable {
  static var kind: SettingKind { get }
  /// Nil for text that is not such a value.
  init?(settingText: String)
  /// Nil for no value.
  var settingText: String? { get }
}

/// The kind of a setting's value.
public enum SettingKind: Sendable, Equatable {
  /// On or off.
  case flag
  case integer
  case number
  case choice([String])
  /// Integers separated by commas.
  case integers
  /// Names separated by commas.
  case names

  /// What the text of a value must be.
  var expectation: String {
    switch self {
    case .flag: "true or false"
    case .integer: "an integer"
    case .number: "a number"
    case .choice(let names): "one of \(names.joined(separator: ", "))"
    case .integers: "integers separated by commas, such as 64,64"
    case .names: "names separated by commas"
    }
  }
}

extension Int: SettingValue {
  public static var kind: SettingKind { .integer }
  /// Integers may be written as 100_000 or 1e5.
  public init?(settingText: String) {
    let plain = settingText.filter { $0 != "_" }
    if let value = Int(plain) {
      self = value
    } else if plain.contains(where: { $0 == "e" || $0 == "E" }), let value = Double(plain).flatMap({ Int(exactly: $0) })
    {
      self = value
    } else {
      return nil
    }
  }
  public var settingText: String? { "\(self)" }
}

extension UInt64: SettingValue {
  public static var kind: SettingKind { .integer }
  public init?(settingText: String) { self.init(settingText) }
  public var settingText: String? { "\(self)" }
}

extension Float: SettingValue {
  public static var kind: SettingKind { .number }
  public init?(settingText: String) { self.init(settingText) }
  public var settingText: String? { Double(self) == Double(self).rounded() ? Double(self).settingText : "\(self)" }
}

extension Double: SettingValue {
  public static var kind: SettingKind { .number }
  public init?(settingText: String) { self.init(settingText) }
  /// Integers are written without a decimal point.
  public var settingText: String? { Int(exactly: self).map { "\($0)" } ?? "\(self)" }
}

extension Bool: SettingValue {
  public static var kind: SettingKind { .flag }
  public init?(settingText: String) { self.init(settingText) }
  public var settingText: String? { "\(self)" }
}

extension [Int]: SettingValue {
  public static var kind: SettingKind { .integers }
  public init?(settingText: String) {
    let parts = settingText.split(separator: ",", omittingEmptySubsequences: false)
    self = parts.compactMap { Int(settingText: String($0)) }
    if count != parts.count { return nil }
  }
  public var settingText: String? { map { "\($0)" }.joined(separator: ",") }
}

extension SettingValue where Self: RawRepresentable, RawValue == String, Self: CaseIterable {
  public static var kind: SettingKind { .choice(allCases.map(\.rawValue)) }
  public init?(settingText: String) { self.init(rawValue: settingText) }
  public var settingText: String? { rawValue }
}

extension Optional: SettingValue where Wrapped: SettingValue {
  public static var kind: SettingKind { Wrapped.kind }
  public init?(settingText: String) {
    guard let value = Wrapped(settingText: settingText) else { return nil }
    self = .some(value)
  }
  public var settingText: String? { flatMap(\.settingText) }
}

/// Names, such as those of layers.
public struct NameList: SettingValue, Codable, Hashable, ExpressibleByArrayLiteral {
  public var names: [String]

  public init(_ names: [String]) { self.names = names }
  public init(arrayLiteral names: String...) { self.names = names }

  public static let kind = SettingKind.names
  public init?(settingText: String) {
    names = settingText.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    if names.contains("") { return nil }
  }
  public var settingText: String? { names.joined(separator: ",") }

  public init(from decoder: any Decoder) throws { names = try [String](from: decoder) }
  public func encode(to encoder: any Encoder) throws { try names.encode(to: encoder) }
}

/// One setting of a configuration: its name, meaning, and allowed values. Flags, keys of configuration files,
/// forms and validation are all derived from this.
///
/// ```swift
/// extension Training: Configurable {
///   static let settings: [Setting<Training>] = [
///     Setting("steps", \.steps, in: .range(1...1 << 30), "Optimizer steps"),
///     Setting("learning-rate", \.learningRate, in: .positive, "Peak learning rate", valueName: "rate"),
///   ]
/// }
/// ```
public struct Setting<Configuration: Sendable>: Sendable {
  /// In lower case with hyphens: `learning-rate`.
  public let name: String
  /// A short noun phrase.
  public let summary: String
  /// The placeholder for its value in help.
  public let valueName: String
  public let kind: SettingKind
  /// The value as text; nil for none.
  public let text: @Sendable (Configuration) -> String?
  /// - Throws: ``ConfigurationError`` for text that is not a value, or is out of range.
  public let set: @Sendable (inout Configuration, String) throws(ConfigurationError) -> Void
  /// - Throws: ``ConfigurationError`` for a value out of range.
  public let check: @Sendable (Configuration) throws(ConfigurationError) -> Void

  public init<Value: SettingValue>(
    _ name: String, _ path: WritableKeyPath<Configuration, Value> & Sendable, in range: SettingRange<Value> = .any,
    _ summary: String, valueName: String? = nil
  ) {
    @Sendable func check(_ value: Value) throws(ConfigurationError) {
      guard range.contains(value) else {
        throw ConfigurationError(
          "\(setting: name) must be \(range.requirement), not \(value.settingText ?? "nothing")")
      }
    }
    (self.name, self.summary, kind) = (name, summary, Value.kind)
    self.valueName =
      valueName
      ?? (Value.kind == .integer
        ? "n" : Value.kind == .number ? "x" : Value.kind == .integers ? "n,n" : Value.kind == .names ? "names" : "kind")
    text = { $0[keyPath: path].settingText }
    self.check = { (configuration) throws(ConfigurationError) in try check(configuration[keyPath: path]) }
    set = { (configuration, text) throws(ConfigurationError) in
      guard let value = Value(settingText: text) else {
        throw ConfigurationError("\(setting: name) should be \(Value.kind.expectation), not '\(text)'")
      }
      try check(value)
      configuration[keyPath: path] = value
    }
  }

  private init<Part>(_ setting: Setting<Part>, at path: WritableKeyPath<Configuration, Part> & Sendable) {
    (name, summary, valueName, kind) = (setting.name, setting.summary, setting.valueName, setting.kind)
    text = { setting.text($0[keyPath: path]) }
    set = { (whole, text) throws(ConfigurationError) in try setting.set(&whole[keyPath: path], text) }
    check = { (whole) throws(ConfigurationError) in try setting.check(whole[keyPath: path]) }
  }

  /// The same setting of a configuration that holds this one.
  public func within<Whole>(_ path: WritableKeyPath<Whole, Configuration> & Sendable) -> Setting<Whole> {
    Setting<Whole>(self, at: path)
  }
}

/// The allowed values of a setting.
public struct SettingRange<Value: Sendable>: Sendable {
  /// The requirement on a value, in words.
  public let requirement: String
  public let contains: @Sendable (Value) -> Bool

  public init(_ requirement: String, _ contains: @escaping @Sendable (Value) -> Bool) {
    (self.requirement, self.contains) = (requirement, contains)
  }

  public static var any: SettingRange { SettingRange("anything") { _ in true } }

  /// No value at all, or one in the range.
  public static func optional<Wrapped>(_ range: SettingRange<Wrapped>) -> SettingRange where Value == Wrapped? {
    SettingRange(range.requirement) { value in value.map(range.contains) ?? true }
  }
}

extension SettingRange where Value: Comparable & SettingValue {
  public static func range(_ range: ClosedRange<Value>) -> SettingRange {
    let (low, high) = (range.lowerBound.settingText ?? "", range.upperBound.settingText ?? "")
    return SettingRange("between \(low) and \(high)") { range.contains($0) }
  }
}

extension SettingRange where Value == Int {
  public static var nonNegative: SettingRange { SettingRange("0 or more") { $0 >= 0 } }
}

extension SettingRange where Value: BinaryFloatingPoint {
  public static var positive: SettingRange { SettingRange("positive") { $0 > 0 && $0.isFinite } }
  public static var nonNegative: SettingRange { SettingRange("0 or more") { $0 >= 0 && $0.isFinite } }
  public static var finite: SettingRange { SettingRange("a number") { $0.isFinite } }
  /// [0, 1).
  public static var fraction: SettingRange { SettingRange("at least 0 and less than 1") { $0 >= 0 && $0 < 1 } }
}

extension SettingRange where Value == UInt64 {
  /// JSON, in which seeds are saved, has integers up to this.
  public static var seed: SettingRange { SettingRange("at most \(Int.max)") { $0 <= UInt64(Int.max) } }
}

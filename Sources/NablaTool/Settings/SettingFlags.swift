import ArgumentParser
import Nabla

/// A setting as a flag, derived from the library's table, so that name, help, range and validation are declared once.
struct SettingFlag: Sendable {
  let name: String
  let summary: String
  let valueName: String
  let kind: SettingKind
  /// The default in words; nil for none.
  private(set) var defaults: String?
  /// - Throws: `ConfigurationError` for text that is not a value of the setting.
  let check: @Sendable (String) throws(ConfigurationError) -> Void

  /// - Parameters:
  ///   - configurations: The sources of the setting's defaults; the first is the default, and others are
  ///     named if they differ.
  ///   - note: Added to the summary.
  ///   - defaultNote: Prefix of the default.
  init<C>(
    _ setting: Setting<C>, defaults configurations: [(name: String, configuration: C)], note: String = "",
    defaultNote: String = ""
  ) {
    (name, valueName, kind) = (setting.name, setting.valueName, setting.kind)
    summary = setting.summary + note
    let values = configurations.map { (name: $0.name, value: setting.text($0.configuration) ?? "none") }
    let first = values.first?.value
    defaults = first.map { first in
      defaultNote + first + values.dropFirst().filter { $0.value != first }.map { "; \($0.name) \($0.value)" }.joined()
    }
    let start = configurations.first?.configuration
    check = { (text) throws(ConfigurationError) in
      guard var configuration = start else { return }
      try setting.set(&configuration, text)
    }
  }

  /// Where the default depends on more than the table.
  var withoutDefault: SettingFlag {
    var flag = self
    flag.defaults = nil
    return flag
  }

  var help: ArgumentHelp {
    var remarks: [String] = []
    if case .choice(let names) = kind { remarks.append("values: \(names.joined(separator: ", "))") }
    if let defaults { remarks.append("default: \(defaults)") }
    return ArgumentHelp(
      "\(summary)\(remarks.isEmpty ? "" : " (\(remarks.joined(separator: "; ")))").", valueName: valueName)
  }
}

/// Which settings a group of flags has.
protocol SettingTable {
  static var flags: [SettingFlag] { get }
}

/// The flags of a table of settings. The parser finds flags by reflection in other commands; this provides them from
/// the table.
struct SettingFlags<Table: SettingTable>: ParsableArguments, CustomReflectable {
  /// Values as text, by the names of settings.
  private(set) var given: [String: String] = [:]

  init() {}

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  var customMirror: Mirror {
    Mirror(
      self,
      children: Table.flags.map { flag -> (label: String?, value: Any) in
        switch flag.kind {
        case .flag:
          (flag.name, Flag<Bool?>(name: .customLong(flag.name), inversion: .prefixedNo, help: flag.help))
        case .choice(let names):
          (flag.name, Option<String?>(name: .customLong(flag.name), help: flag.help, completion: .list(names)))
        case .integer, .number, .integers, .names:
          (flag.name, Option<String?>(name: .customLong(flag.name), help: flag.help))
        }
      })
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    for flag in Table.flags {
      let key = Key(stringValue: flag.name)
      given[flag.name] =
        flag.kind == .flag
        ? try container.decode(Flag<Bool?>.self, forKey: key).wrappedValue.map { "\($0)" }
        : try container.decode(Option<String?>.self, forKey: key).wrappedValue
    }
  }

  func validate() throws {
    for flag in Table.flags {
      if let text = given[flag.name] { try namingFlags { () throws(ConfigurationError) in try flag.check(text) } }
    }
  }

  /// The first setting that was given, as a flag; nil when none was.
  var first: String? { Table.flags.first { given[$0.name] != nil }.map { "--\($0.name)" } }
}

extension SettingMessage {
  /// With settings as flags.
  var namingFlags: String { text { "--\($0)" } }
}

/// Runs `body`, and converts invalid settings to a usage error that names flags.
func namingFlags<Result, Failure: SettingError>(_ body: () throws(Failure) -> Result) throws -> Result {
  do { return try body() } catch { throw ValidationError(error.message.namingFlags) }
}

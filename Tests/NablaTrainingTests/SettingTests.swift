import NablaTraining
import Testing

private struct Example: Configurable, Equatable {
  enum Kind: String, Codable, CaseIterable, SettingValue { case plain, fancy }
  var steps = 10
  var rate: Float = 0.1
  var kind = Kind.plain
  var widths = [64]
  var limit: Int?
  var ties = false

  static let settings: [Setting<Example>] = [
    Setting("steps", \.steps, in: .range(1...1000), "Steps"),
    Setting("rate", \.rate, in: .positive, "Rate"),
    Setting("kind", \.kind, "Kind"),
    Setting("widths", \.widths, "Widths"),
    Setting("limit", \.limit, in: .optional(.range(1...5)), "Limit"),
    Setting("ties", \.ties, "Ties"),
  ]
  func validateTogether() throws(ConfigurationError) {
    guard steps == 10 || limit == nil else {
      throw ConfigurationError("\(setting: "limit") is for \(setting: "steps") 10")
    }
  }
}

@Suite struct SettingTests {
  @Test(arguments: [
    ("steps", "200", "200"), ("steps", "1e2", "100"), ("steps", "1_000", "1000"), ("rate", "1e-3", "0.001"),
    ("kind", "fancy", "fancy"), ("widths", "64,32", "64,32"), ("limit", "5", "5"), ("ties", "true", "true"),
  ])
  func takesText(name: String, text: String, shown: String) throws {
    var example = Example()
    try example.set(name, to: text)
    #expect(Example.settings.first { $0.name == name }?.text(example) == shown)
    #expect(example != Example())
  }

  @Test(arguments: [
    ("steps", "0", "‹steps› must be between 1 and 1000, not 0"),
    ("steps", "1.5", "‹steps› should be an integer, not '1.5'"),
    ("steps", "1e-1", "‹steps› should be an integer, not '1e-1'"),
    ("steps", "1e30", "‹steps› should be an integer, not '1e30'"),
    ("rate", "nan", "‹rate› must be positive, not nan"), ("rate", "inf", "‹rate› must be positive, not inf"),
    ("kind", "fency", "‹kind› should be one of plain, fancy, not 'fency'"),
    ("widths", "64,,2", "‹widths› should be integers separated by commas, such as 64,64, not '64,,2'"),
    ("limit", "6", "‹limit› must be between 1 and 5, not 6"),
    ("ties", "yes", "‹ties› should be true or false, not 'yes'"),
    ("stesp", "1", "there is no setting 'stesp': did you mean '‹steps›'?"),
  ])
  func refuses(name: String, text: String, message: String) {
    var example = Example()
    let error = #expect(throws: ConfigurationError.self) { try example.set(name, to: text) }
    #expect(error?.message.text { "‹\($0)›" } == message)
    #expect(example == Example())
  }

  @Test func validatesEachAndTogether() {
    func problem(_ example: Example) -> String? {
      do { try example.validate() } catch { return error.problem }
      return nil
    }
    #expect(problem(Example()) == nil)
    #expect(problem(Example(steps: 0)) == "steps must be between 1 and 1000, not 0")
    #expect(problem(Example(steps: 11, limit: 2)) == "limit is for steps 10")
  }
}

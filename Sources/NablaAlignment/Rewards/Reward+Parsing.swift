import NablaFormats
import NablaTraining

extension Reward {
  static let kinds = ["numeric", "format", "length", "regex", "json", "command"]

  /// A reward function by name, with its argument after a colon:
  ///
  ///     numeric, numeric:FIELD      the row's answer, from "answer" or another field
  ///     format, format:TAG,TAG      elements in order, <think> and <answer> by default
  ///     length:LOW-HIGH             tokens; length:LOW-HIGH~TOLERANCE falls to 0 outside
  ///     regex:PATTERN               matches somewhere
  ///     json                        one JSON object or array
  ///     command:COMMAND             a shell command that reads JSON and prints a number
  public init(parsing text: String, commandTimeLimit: Double = 30) throws(RewardError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let (kind, argument) = (parts[0], parts.count > 1 && !parts[1].isEmpty ? parts[1] : nil)
    func needed(_ what: String) throws(RewardError) -> String {
      guard let argument else { throw .argument(reward: kind, problem: "requires \(what), as in \(kind):…") }
      return argument
    }
    switch kind {
    case "numeric": self = .numericAnswer(field: argument ?? "answer")
    case "format":
      let tags = argument.map { $0.split(separator: ",").map(String.init) } ?? ["think", "answer"]
      guard !tags.isEmpty, tags.allSatisfy({ $0.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" } })
      else { throw .argument(reward: kind, problem: "tags consist of letters, digits, _ and -, separated by commas") }
      self = .format(tags: tags)
    case "length":
      let numbers = try needed("a range of tokens").split(
        separator: "~", maxSplits: 1, omittingEmptySubsequences: false)
      let bounds = numbers[0].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      let tolerance = numbers.count > 1 ? Int(numbers[1]) : 0
      guard bounds.count == 2, let low = bounds[0], let high = bounds[1], low >= 0, high >= low, let tolerance,
        tolerance >= 0
      else { throw .argument(reward: kind, problem: "\"\(text)\" is not a range of tokens such as length:20-80") }
      self = .length(low...high, tolerance: tolerance)
    case "regex": self = try .regularExpression(try needed("a regular expression"))
    case "json": self = .validJSON()
    case "command": self = .command(try needed("a shell command"), timeLimit: commandTimeLimit)
    default: throw .unknown(kind, nearest: nearestName(to: kind, among: Reward.kinds))
    }
  }
}

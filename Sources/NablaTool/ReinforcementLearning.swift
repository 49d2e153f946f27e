import ArgumentParser
import Nabla

struct ReinforcementLearning: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rl", abstract: "Train policies in environments such as CartPole.",
    discussion: """
      Try it:
        nabla rl train --environment CartPole-v1 --output runs/pole
        nabla rl evaluate runs/pole
      """,
    subcommands: [PolicyTrain.self, PolicyEvaluate.self, PolicyList.self])
}

struct PolicyList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the environments and the algorithms.")

  @Flag(help: "Output as one JSON object.") var json = false

  func run() throws {
    if json {
      let environments = EnvironmentDescription.all.map { environment in
        JSONValue.object(
          JSONObject([
            ("name", .string(environment.name)), ("summary", .string(environment.summary)),
            ("observations", .integer(environment.observationSpace.count)),
            ("actions", .integer(environment.actionSpace.count)),
            ("discrete", .bool(environment.actionSpace.isDiscrete)),
            ("time_limit", environment.timeLimit.map { .integer($0) } ?? .null),
            ("solved_at", environment.solvedAt.map { .number($0) } ?? .null),
          ]))
      }
      let algorithms = Algorithm.names.map { JSONValue.string($0) }
      try show(
        (["environments": .array(environments), "algorithms": .array(algorithms)] as JSONValue).serialized() + "\n")
      return
    }
    func padded(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(1, width - text.count))
    }
    var text = "Environments:\n"
    for environment in EnvironmentDescription.all {
      let actions =
        environment.actionSpace.isDiscrete ? "\(environment.actionSpace.count) actions" : "continuous"
      text += "  \(padded(environment.name, 26))\(padded(actions, 13))\(environment.summary)\n"
    }
    text += "\nAlgorithms:\n"
    for name in Algorithm.names { text += "  \(padded(name, 26))\(summaries[name] ?? "")\n" }
    try show(text)
  }
}

private let summaries = [
  "ppo": "proximal policy optimization: several epochs on each rollout, with a clipped objective",
  "a2c": "advantage actor-critic: one gradient step per short rollout",
  "reinforce": "policy gradient of whole episodes, with a baseline or --no-baseline",
]

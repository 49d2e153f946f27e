import ArgumentParser
import Nabla

struct PolicyEvaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Measure the return of a trained policy in new episodes.",
    usage: "nabla rl evaluate <run> [options]")

  @Argument(help: ArgumentHelp("Run folder of 'nabla rl train'.", valueName: "run"), completion: .directory)
  var runFolder: String
  @Option(help: ArgumentHelp("Number of episodes, run in parallel.", valueName: "n")) var episodes = 100
  @Option(help: ArgumentHelp("Random seed of the episodes.", valueName: "n")) var seed: UInt64 = 1_000_000
  @Flag(help: "Sample actions instead of taking the most likely ones.") var sample = false
  @Flag(help: "Output as one JSON object: mean_return, standard_deviation, mean_length, returns.") var json = false
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  func validate() throws {
    if !(1...100_000).contains(episodes) {
      throw ValidationError("--episodes must be between 1 and 100000, not \(episodes)")
    }
  }

  func run() throws {
    compute.apply()
    if PolicyStudy.isStudy(runFolder) {
      let member = try PolicyStudy.members(of: runFolder)[0]
      throw ValidationError("\(runFolder) contains several runs: choose one of them, such as \(runFolder)/\(member)")
    }
    let (agent, setup) = try PolicyTrainer.agent(of: runFolder, warn: { note("warning: \($0)") })
    let result = try agent.evaluate(.named(setup.environment), episodes: episodes, seed: seed, greedily: !sample)
    if json {
      let object: JSONValue = [
        "environment": .string(setup.environment), "mean_return": .number(result.meanReturn),
        "standard_deviation": .number(result.standardDeviation), "mean_length": .number(result.meanLength),
        "returns": .array(result.returns.map { .number($0) }),
      ]
      return try show(object.serialized() + "\n")
    }
    try show(
      """
      return          \(rounded(result.meanReturn)) ± \(rounded(result.standardDeviation))
      min, max        \(rounded(result.returns.min()!)), \(rounded(result.returns.max()!))
      length          \(rounded(result.meanLength)) steps
      episodes        \(episodes) of \(setup.environment)

      """)
  }
}

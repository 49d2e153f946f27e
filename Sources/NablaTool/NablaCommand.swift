import ArgumentParser
import Nabla

@main
struct NablaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nabla",
    abstract: "Train, align and sample AI models on this computer.",
    discussion: """
      Try it:
        nabla pretrain README.md --preset tiny --output runs/first
        nabla generate runs/first --prompt "Nabla is"
      """,
    version: "0.1.0",
    groupedSubcommands: [
      CommandGroup(name: "Language models:", subcommands: [Pretrain.self, Generate.self, Evaluate.self]),
      CommandGroup(name: "See:", subcommands: [ReportCommand.self]),
    ])

  static func main() {
    // Settings from a file become arguments that stand before the user's own, which therefore win.
    let arguments: [String]
    do {
      arguments = try ConfigurationFile.expanded(Array(CommandLine.arguments.dropFirst()))
    } catch {
      NablaCommand.exit(withError: error)
    }
    NablaCommand.main(arguments)
  }
}

/// Options of every command that computes.
struct ComputeOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Threads to use (default: all cores).", valueName: "n"))
  var threads: Int?

  func validate() throws {
    if let threads, threads < 1 { throw ValidationError("--threads must be at least 1, not \(threads)") }
  }

  func apply() {
    if let threads { Threads.count = threads }
  }
}

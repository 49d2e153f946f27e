import ArgumentParser
import Nabla

@main
struct NablaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nabla",
    abstract: "Train and sample AI models on this computer.",
    discussion: """
      Try it:
        nabla pretrain README.md --preset tiny --output runs/first
        nabla generate runs/first --prompt "Nabla is"

      Exit codes: 0 success, 1 failure, 64 usage error.
      """,
    version: "0.1.0",
    groupedSubcommands: [
      CommandGroup(
        name: "Language models:",
        subcommands: [Pretrain.self, Chat.self, Generate.self, Evaluate.self, Tokenize.self, Convert.self]),
      CommandGroup(
        name: "Alignment:",
        subcommands: [
          Audit.self, SFTCommand.self, RewardCommand.self, DPOCommand.self, RLHFCommand.self, GRPOCommand.self,
          Compare.self, Merge.self,
        ]),
      CommandGroup(name: "Reinforcement learning:", subcommands: [ReinforcementLearning.self]),
      CommandGroup(name: "Diffusion:", subcommands: [Diffusion.self]),
      CommandGroup(name: "Scaling:", subcommands: [Scaling.self]),
      CommandGroup(name: "Inspection:", subcommands: [Inspect.self, ReportCommand.self, StudioCommand.self]),
    ])

  static func main() {
    Threads.limitPolling()
    checkArguments()
    checkInstructionSet()
    do {
      let arguments = try ConfigurationFile.expanded(joiningNegativeNumbers(Array(CommandLine.arguments.dropFirst())))
      var command = try parseAsRoot(arguments)
      do {
        try command.run()
      } catch let error as ValidationError {
        // Valid flags can depend on the model: then the parser alone cannot reject them.
        let name = commandName(arguments)
        let usage = type(of: command).configuration.usage ?? "\(name) [options]"
        note("Error: \(error.message)\nUsage: \(usage.replacing("\n", with: "\n       "))")
        note("  See '\(name) --help' for more information.")
        throw ExitCode.validationFailure
      }
    } catch let error as any SettingError {
      exit(withError: TrainingFailure(description: described(error)))
    } catch {
      exit(withError: error)
    }
  }

  /// Ends the program when an argument is not UTF-8: Swift would put U+FFFD in its place.
  private static func checkArguments() {
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[index], String(validatingCString: argument) == nil else { continue }
      note(
        "Error: argument \(index) is not valid UTF-8: \(printable(String(cString: argument)))\n"
          + "  Give text in UTF-8, or convert it, for example with iconv -t UTF-8.")
      exit(withError: ExitCode.validationFailure)
    }
  }

  /// Ends the program when NABLA_ISA is invalid, and prints a note when it is above the CPU's level.
  private static func checkInstructionSet() {
    do {
      guard let requested = try InstructionSet.requested(), requested > .ofCPU else { return }
      note(
        "note: NABLA_ISA is \(requested.rawValue), but this CPU supports at most \(InstructionSet.ofCPU.rawValue), "
          + "which is used instead"
      )
    } catch {
      note("Error: \(error)")
      exit(withError: ExitCode.validationFailure)
    }
  }

  /// The words of the command line that name a command, such as "nabla rl train".
  private static func commandName(_ arguments: [String]) -> String {
    var command: any ParsableCommand.Type = Self.self
    var words = ["nabla"]
    for argument in arguments {
      guard let next = command.configuration.subcommands.first(where: { $0._commandName == argument }) else { break }
      command = next
      words.append(argument)
    }
    return words.joined(separator: " ")
  }

  /// Writes `--steps -5` as `--steps=-5`: the parser would take -5 for a flag, and report a missing value.
  private static func joiningNegativeNumbers(_ arguments: [String]) -> [String] {
    var result: [String] = []
    for argument in arguments {
      if argument.hasPrefix("-"), Double(argument) != nil, let flag = result.last, flag.hasPrefix("--"), flag != "--",
        !flag.contains("=")
      {
        result[result.count - 1] = "\(flag)=\(argument)"
      } else {
        result.append(argument)
      }
    }
    return result
  }
}

/// Compute options.
struct ComputeOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Number of threads (default: one per core).", valueName: "n"))
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads must be between 1 and 1024, not \(threads)")
    }
  }

  func apply() {
    if let threads { Threads.count = threads }
  }
}

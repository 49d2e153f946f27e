import ArgumentParser
import Nabla

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare models on the same prompts: completions, rewards, divergence, cost.",
    usage: "nabla compare <model> ... --data <file> ... [options]",
    discussion: """
      Lets every model complete the same prompts from the same random streams, judges the completions by reward functions \
      and a reward model, and measures how far each model is from a reference. Prints a table, and writes a page with the \
      completions side by side. Give prompts that none of the models was trained on.

      \(JudgeOptions.list)
      """)

  @Argument(help: "GGUF files, Hugging Face folders or run folders.", completion: .file())
  var models: [String]
  @OptionGroup var data: RowOptions
  @OptionGroup var judge: JudgeOptions
  @Option(
    help: ArgumentHelp("The model that divergence is measured from.", valueName: "model"), completion: .file())
  var reference: String?
  @Option(help: ArgumentHelp("Prompts, from the first of the data.", valueName: "n"))
  var prompts = 128
  @Option(help: ArgumentHelp("Most tokens of a completion.", valueName: "n"))
  var maxNewTokens = 64
  @Option(help: ArgumentHelp("Sampling temperature; 0 for the likeliest completions.", valueName: "x"))
  var temperature: Float = 1
  @Option(help: ArgumentHelp("Seed of the completions.", valueName: "n"))
  var seed: UInt64 = 1
  @Option(help: ArgumentHelp("The page to write.", valueName: "file"), completion: .file())
  var output = "comparison.html"
  @Flag(help: "Print everything as JSON.")
  var json = false
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  func validate() throws {
    if data.data.isEmpty { throw ValidationError("give the prompts with --data FILE") }
    if prompts < 1 { throw ValidationError("--prompts must be 1 or more, not \(prompts)") }
    if maxNewTokens < 1 { throw ValidationError("--max-new-tokens must be 1 or more, not \(maxNewTokens)") }
    if !(temperature >= 0 && temperature.isFinite) {
      throw ValidationError("--temperature must be 0 or more, not \(temperature)")
    }
    _ = try judge.description()
  }

  func run() throws {
    compute.apply()
    var plan = Comparison.Plan(
      models: models, reference: reference, data: try data.description(), judge: try judge.description())
    (plan.promptCount, plan.maximumTokens, plan.temperature, plan.seed) = (prompts, maxNewTokens, temperature, seed)
    let comparison = try Comparison(plan) { note($0) }
    try AtomicFile.write(try comparison.html(), to: output)
    try show(json ? comparison.json.serialized() + "\n" : comparison.table + "page: \(output)\n")
  }
}

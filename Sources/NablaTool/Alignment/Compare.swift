import ArgumentParser
import Nabla

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare models on the same prompts: completions, rewards, divergence, cost.",
    usage: "nabla compare <model> ... --data <file> ... [options]",
    discussion: """
      Completes the same prompts with every model and the same random streams, scores the completions with reward \
      functions and a reward model, and measures each model's KL divergence from a reference. Prints a table and \
      writes a page with the completions side by side. Use prompts that none of the models was trained on.

      \(JudgeOptions.list)
      """)

  @Argument(help: "Models: GGUF files, Hugging Face folders or run folders.", completion: .file())
  var models: [String]
  @OptionGroup var data: RowOptions
  @OptionGroup var judge: JudgeOptions
  @Option(
    help: ArgumentHelp("Reference model of the KL divergence.", valueName: "model"), completion: .file())
  var reference: String?
  @Option(help: ArgumentHelp("Number of prompts, from the start of the data.", valueName: "n"))
  var prompts = 128
  @Option(help: ArgumentHelp("Maximum new tokens per completion.", valueName: "n"))
  var maxNewTokens = 64
  @Option(help: ArgumentHelp("Sampling temperature: 0 is greedy, higher is more random.", valueName: "x"))
  var temperature: Float = 1
  @Option(help: ArgumentHelp("Random seed of the completions.", valueName: "n"))
  var seed: UInt64 = 1
  @Option(help: ArgumentHelp("Output page.", valueName: "file"), completion: .file())
  var output = "comparison.html"
  @Flag(help: "Output as one JSON object.")
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

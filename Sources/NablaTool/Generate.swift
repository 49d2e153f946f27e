import ArgumentParser
import Glibc
import Nabla

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write on from a prompt with a trained model.",
    usage: "nabla generate <model> [--prompt <text>] [options]",
    discussion: """
      Prints the prompt and what follows, as it is made; with --count above 1 the continuations are made together and \
      printed one after the other. A continuation ends at --max-tokens, at the end of the model's context, at a stop \
      text, or where the model ends the text.
      """)

  @Argument(
    help: "A run folder of 'nabla pretrain', or a Hugging Face folder (llama or gpt2).", completion: .directory)
  var model: String

  @Option(
    help: ArgumentHelp(
      "The text to go on from; '-' reads it from standard input (default: none, a text from its beginning).",
      valueName: "text"))
  var prompt: String?
  @Option(help: ArgumentHelp("Most tokens to make.", valueName: "n")) var maxTokens = 256
  @Option(help: ArgumentHelp("Continuations to make.", valueName: "n")) var count = 1
  @Option(help: ArgumentHelp("0 always takes the likeliest token; higher is freer.", valueName: "x"))
  var temperature: Float = 0.8
  @Option(help: ArgumentHelp("Choose among the k likeliest tokens; 0 for all.", valueName: "k")) var topK = 0
  @Option(help: ArgumentHelp("Choose among the likeliest tokens that make up this probability.", valueName: "p"))
  var topP: Float = 1
  @Option(help: ArgumentHelp("Choose among tokens at least this fraction as likely as the likeliest.", valueName: "p"))
  var minP: Float = 0
  @Option(help: ArgumentHelp("Make tokens seen before less likely; 1 for no penalty.", valueName: "x"))
  var repetitionPenalty: Float = 1
  @Option(
    parsing: .singleValue,
    help: ArgumentHelp("End before this text; may be given more than once.", valueName: "text"))
  var stop: [String] = []
  @Option(help: ArgumentHelp("Seed of the choices: the same seed gives the same text.", valueName: "n"))
  var seed: UInt64 = 1
  @Flag(help: "Print one JSON object a continuation, without the prompt: text, tokens, reason.") var json = false
  @Option(help: "The type of products: auto is bfloat16 where the CPU computes in it, else float32.")
  var precision = Precision.automatic
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  func validate() throws {
    if maxTokens < 1 { throw ValidationError("--max-tokens must be at least 1, not \(maxTokens)") }
    if !(1...1024).contains(count) { throw ValidationError("--count must be between 1 and 1024, not \(count)") }
    do { try options.validate() } catch { throw ValidationError(error.problem) }
  }

  private var options: SamplingOptions {
    SamplingOptions(
      temperature: temperature, topK: topK, topP: topP, minP: minP, repetitionPenalty: repetitionPenalty)
  }

  func run() throws {
    compute.apply()
    let text = prompt == "-" ? try promptFromStandardInput() : prompt ?? ""
    let (network, tokenizer) = try TrainedModel.load(model, precision: precision)
    var generator = Generator(network, tokenizer: tokenizer, options: options, seed: seed)
    generator.stopStrings = stop
    let streams = count == 1 && !json
    // What goes into a file or a pipe stays as it is.
    let cleaned = isatty(STDOUT_FILENO) == 1 ? printable : { $0 }
    // The prompt is shown with the first of the text, so that one the model cannot take prints nothing.
    var unshown = text
    var failure: FileError?
    let completions = try generator.run(prompt: text, maximumTokens: maxTokens, count: count) { _, part in
      guard streams, failure == nil else { return }
      do throws(FileError) { try show(cleaned(unshown + part)) } catch { failure = error }
      unshown = ""
    }
    if let failure { throw failure }
    if streams { return try show(cleaned(unshown) + "\n") }
    for (i, completion) in completions.enumerated() {
      if json {
        let object: JSONValue = [
          "text": .string(completion.text), "tokens": .array(completion.tokens.map { .integer(Int($0)) }),
          "reason": .string(completion.reason.rawValue),
        ]
        try show(object.serialized() + "\n")
      } else {
        try show("--- \(i + 1) ---\n\(cleaned(text + completion.text))\n")
      }
    }
  }

  private func promptFromStandardInput() throws -> String {
    let bytes = try readStandardInput()
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ValidationError("--prompt -: standard input is not UTF-8 text; convert it, for example with iconv -t UTF-8")
    }
    return text
  }
}

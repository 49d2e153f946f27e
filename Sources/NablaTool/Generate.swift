import ArgumentParser
import Nabla

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write on from a prompt with a trained model.",
    discussion: """
      MODEL is a run folder or a Hugging Face folder. Text streams as it is made; with --count above 1 the \
      continuations are made together and printed one after the other.
      """)

  @Argument(help: "A run folder or a model folder.", completion: .directory)
  var model: String

  @Option(help: "The text to go on from; '-' reads it from standard input. Empty: from the beginning of a text.")
  var prompt = ""
  @Option(help: ArgumentHelp("Most tokens to make.", valueName: "n")) var maxTokens = 256
  @Option(help: ArgumentHelp("Continuations to make.", valueName: "n")) var count = 1
  @Option(help: ArgumentHelp("0 always takes the best token; higher is freer.", valueName: "x"))
  var temperature: Float = 0.8
  @Option(help: ArgumentHelp("Choose among the k best tokens; 0 for all.", valueName: "k")) var topK = 0
  @Option(help: ArgumentHelp("Choose among the best tokens that make up this probability.", valueName: "p"))
  var topP: Float = 1
  @Option(help: ArgumentHelp("Choose among tokens this fraction as probable as the best.", valueName: "p"))
  var minP: Float = 0
  @Option(help: ArgumentHelp("Make tokens seen before less likely; 1 for no penalty.", valueName: "x"))
  var repetitionPenalty: Float = 1
  @Option(
    parsing: .singleValue, help: ArgumentHelp("End before this text; may be given more than once.", valueName: "text"))
  var stop: [String] = []
  @Option(help: ArgumentHelp("Seed of the choices.", valueName: "n")) var seed: UInt64 = 1
  @Flag(help: "Print one JSON object a continuation.") var json = false
  @Option(help: "auto, float32 or bfloat16.") var precision = Precision.automatic
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  func validate() throws {
    if maxTokens < 1 { throw ValidationError("--max-tokens must be at least 1, not \(maxTokens)") }
    if count < 1 { throw ValidationError("--count must be at least 1, not \(count)") }
    do { try options.validate() } catch { throw ValidationError(error.problem) }
  }

  private var options: SamplingOptions {
    SamplingOptions(
      temperature: temperature, topK: topK, topP: topP, minP: minP, repetitionPenalty: repetitionPenalty)
  }

  func run() throws {
    compute.apply()
    let (network, tokenizer) = try TrainedModel.load(model, precision: precision)
    var generator = Generator(network, tokenizer: tokenizer, options: options, seed: seed)
    generator.stopStrings = stop
    let text = prompt == "-" ? try standardInput() : prompt
    let streams = count == 1 && !json
    if streams { show(text) }
    let completions = try generator.run(prompt: text, maximumTokens: maxTokens, count: count) { _, part in
      if streams { show(part) }
    }
    if streams {
      show("\n")
    } else {
      for (i, completion) in completions.enumerated() {
        if json {
          let object: JSONValue = [
            "text": .string(completion.text), "tokens": .array(completion.tokens.map { .integer(Int($0)) }),
            "reason": .string(completion.reason.rawValue),
          ]
          show(object.serialized() + "\n")
        } else {
          show("--- \(i + 1) ---\n\(text)\(completion.text)\n")
        }
      }
    }
  }

  private func standardInput() throws -> String {
    guard let text = String(validating: readAll(0), as: UTF8.self) else {
      throw ValidationError("the prompt on standard input is not UTF-8 text")
    }
    return text
  }
}

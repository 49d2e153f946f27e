import ArgumentParser
import Nabla

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how well a model predicts a text.",
    discussion: """
      Each token but the first of each window is predicted from those before it, in windows of --context tokens that \
      do not overlap.
      """)

  @Argument(help: "A run folder or a model folder.", completion: .directory)
  var model: String
  @Option(parsing: .upToNextOption, help: ArgumentHelp("Files and folders of text.", valueName: "file"))
  var data: [String]
  @Option(help: ArgumentHelp("Tokens of a window (default: the model's context).", valueName: "n")) var context: Int?
  @Option(help: ArgumentHelp("Windows at a time.", valueName: "n")) var batchSize = 8
  @Flag(help: "Print a JSON object.") var json = false
  @Option(help: "auto, float32 or bfloat16.") var precision = Precision.automatic
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  func validate() throws {
    if data.isEmpty { throw ValidationError("give the text to predict with --data FILE") }
    if batchSize < 1 { throw ValidationError("--batch-size must be at least 1, not \(batchSize)") }
    if let context, context < 1 { throw ValidationError("--context must be at least 1, not \(context)") }
  }

  func run() throws {
    compute.apply()
    let (network, tokenizer) = try TrainedModel.load(model, precision: precision)
    if let context, context > network.configuration.context {
      throw ValidationError("--context \(context) is more than the model's \(network.configuration.context)")
    }
    let tokens = try TextCorpus.read(data).encode(with: tokenizer)
    let result = try network.evaluate(
      TokenDataset(tokens, vocabularySize: tokenizer.vocabularySize), tokenizer: tokenizer, context: context,
      batchSize: batchSize)
    if json {
      let object: JSONValue = [
        "loss": .number(result.loss), "perplexity": .number(result.perplexity),
        "bits_per_byte": .number(result.bitsPerByte), "tokens": .integer(result.tokens),
        "bytes": .integer(result.bytes),
      ]
      print(object.serialized())
    } else {
      print(
        """
        loss            \(rounded(result.loss)) nats per token
        perplexity      \(rounded(result.perplexity))
        bits per byte   \(rounded(result.bitsPerByte))
        predicted       \(grouped(result.tokens)) tokens, \(grouped(result.bytes)) bytes
        """)
    }
  }
}

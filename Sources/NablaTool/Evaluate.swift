import ArgumentParser
import Nabla

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how well a model predicts a text.",
    usage: "nabla evaluate <model> --data <file> ... [options]",
    discussion: """
      Every token but the first is predicted once, from those before it in its window; windows of --context tokens do \
      not overlap. Bits per byte compare models whatever their tokenizers.
      """)

  @Argument(
    help: "A run folder of 'nabla pretrain', or a Hugging Face folder (llama or gpt2).", completion: .directory)
  var model: String
  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("Files and folders of text to predict.", valueName: "file"),
    completion: .file())
  var data: [String]
  @Option(help: ArgumentHelp("Tokens in a window (default: the model's context).", valueName: "n")) var context: Int?
  @Option(help: ArgumentHelp("Windows computed at a time.", valueName: "n")) var batchSize = 8
  @Flag(help: "Print one JSON object: loss, perplexity, bits_per_byte, tokens, bytes.") var json = false
  @Option(help: "The type of products: auto is bfloat16 where the CPU computes in it, else float32.")
  var precision = Precision.automatic
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  func validate() throws {
    if data.isEmpty { throw ValidationError("give the text to predict with --data FILE") }
    if !(1...65536).contains(batchSize) {
      throw ValidationError("--batch-size must be between 1 and 65536, not \(batchSize)")
    }
    if let context, context < 1 { throw ValidationError("--context must be at least 1, not \(context)") }
  }

  func run() throws {
    compute.apply()
    let (network, tokenizer) = try TrainedModel.load(model, precision: precision)
    if let context, context > network.configuration.context {
      throw ValidationError("--context \(context) is more than the model's \(network.configuration.context)")
    }
    let corpus = try TextCorpus.read(data)
    if let skipped = corpus.skippedSummary { note(skipped) }
    let tokens = try corpus.encode(with: tokenizer)
    let result = try network.evaluate(
      TokenDataset(tokens, vocabularySize: tokenizer.vocabularySize), tokenizer: tokenizer, context: context,
      batchSize: batchSize)
    if json {
      let object: JSONValue = [
        "loss": .number(result.loss), "perplexity": .number(result.perplexity),
        "bits_per_byte": .number(result.bitsPerByte), "tokens": .integer(result.tokens),
        "bytes": .integer(result.bytes),
      ]
      try show(object.serialized() + "\n")
    } else {
      try show(
        """
        loss            \(rounded(result.loss)) nats per token
        perplexity      \(rounded(result.perplexity))
        bits per byte   \(rounded(result.bitsPerByte))
        predicted       \(grouped(result.tokens)) tokens, \(grouped(result.bytes)) bytes

        """)
    }
  }
}

import ArgumentParser
import Nabla

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure a model's perplexity on text, or its accuracy on multiple choice.",
    usage: "nabla evaluate <model> --data <file> ... [options]\nnabla evaluate <model> --choices <file> [options]",
    discussion: """
      --data: every token but the first is predicted once, from those before it in its window of --context \
      tokens; a new window begins every --stride tokens. The first is the model's beginning-of-text token, if it has \
      one. Bits per byte compare models with different tokenizers.

      --choices: a JSONL file of {"question", "choices", "answer"} (an index from 0, a letter, or the text). The model \
      picks the most likely choice after the question: by log-probability, and \
      normalized by its length in bytes.
      """)

  @OptionGroup(title: "Model") var inference: InferenceOptions
  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("Text to evaluate on: files and folders.", valueName: "file"),
    completion: .file())
  var data: [String] = []
  @Option(help: ArgumentHelp("JSONL file of multiple-choice questions.", valueName: "file"), completion: .file())
  var choices: String?
  @Option(help: ArgumentHelp("Window size in tokens (default: the model's context, at most 8192).", valueName: "n"))
  var context: Int?
  @Option(
    help: ArgumentHelp(
      "Tokens from one window to the next (default: --context, no overlap). A smaller stride gives more context, "
        + "and takes longer.", valueName: "n"))
  var stride: Int?
  @Option(
    help: ArgumentHelp("Windows per batch (default: as many as hold 8,192 tokens, at most 8).", valueName: "n"))
  var batchSize: Int?
  @Flag(help: "Output as one JSON object: loss, perplexity, bits_per_byte, tokens, bytes; or questions, accuracy, …")
  var json = false

  func validate() throws {
    if data.isEmpty == (choices == nil) {
      throw ValidationError("give either text with --data FILE, or questions with --choices FILE")
    }
    if let batchSize, !(1...65536).contains(batchSize) {
      throw ValidationError("--batch-size must be between 1 and 65536, not \(batchSize)")
    }
    if let context, context < 1 { throw ValidationError("--context must be at least 1, not \(context)") }
    if let stride, stride < 1 { throw ValidationError("--stride must be at least 1, not \(stride)") }
    if choices != nil, context != nil || stride != nil || batchSize != nil {
      throw ValidationError("--context, --stride and --batch-size are for --data")
    }
  }

  func run() throws {
    let trained = try inference.load()
    let network = trained.model
    if let choices { return try choose(from: choices, trained) }
    // A window of a long context may take more memory than there is.
    let context = context ?? min(network.configuration.context, 8192)
    if context > network.configuration.context {
      throw ValidationError("--context \(context) is more than the model's \(network.configuration.context)")
    }
    let stride = stride ?? context
    if stride > context {
      throw ValidationError(
        "--stride \(stride) is more than the \(context) tokens of a window: some tokens would be skipped")
    }
    let corpus = try TextCorpus.read(data)
    if let skipped = corpus.skippedSummary { note(skipped) }
    // The beginning-of-text token, if the model was trained with one, is given and not predicted.
    let tokens = trained.tokenizer.template.prefix + (try corpus.encode(with: trained.tokenizer))
    let result = try network.evaluate(
      TokenDataset(tokens, vocabularySize: trained.tokenizer.vocabularySize), tokenizer: trained.tokenizer,
      context: context, stride: stride, batchSize: batchSize)
    try inference.naming { try network.checkFinite(result.loss) }
    if json {
      let object: JSONValue = [
        "loss": .number(result.loss), "perplexity": .number(result.perplexity),
        "bits_per_byte": .number(result.bitsPerByte), "tokens": .integer(result.tokens),
        "bytes": .integer(result.bytes), "context": .integer(context), "stride": .integer(stride),
      ]
      try show(object.serialized() + "\n")
    } else {
      try show(
        """
        loss            \(rounded(result.loss)) nats per token
        perplexity      \(rounded(result.perplexity))
        bits per byte   \(rounded(result.bitsPerByte))
        predicted       \(grouped(result.tokens)) tokens, \(grouped(result.bytes)) bytes
        windows         of \(grouped(context)) tokens, every \(grouped(stride))

        """)
    }
  }

  private func choose(from path: String, _ trained: TrainedModel) throws {
    let questions = try ChoiceQuestion.list(contentsOfFile: path)
    let result = try inference.naming {
      try trained.model.evaluate(
        questions, tokenizer: trained.tokenizer, firstToken: trained.generator().firstToken)
    }
    if json {
      let object: JSONValue = [
        "questions": .integer(result.questions), "accuracy": .number(result.accuracy),
        "normalized_accuracy": .number(result.normalizedAccuracy),
      ]
      try show(object.serialized() + "\n")
    } else {
      try show(
        """
        questions             \(grouped(result.questions))
        accuracy              \(rounded(100 * result.accuracy)) %
        accuracy, normalized  \(rounded(100 * result.normalizedAccuracy)) %

        """)
    }
  }
}

import ArgumentParser
import Glibc
import Nabla

struct Audit: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a model will learn from a dataset, and reject data that would train it wrong.",
    usage: "nabla audit <data> ... --model <model> [options]",
    discussion: """
      Datasets are JSONL files, optionally gzip-compressed, with one example per line, in one of these shapes: text; \
      messages; prompt and completion; prompt, chosen and rejected; chosen and rejected; prompt only; question and \
      answer (GSM8K).

      Prints one example as the model sees it, with the learned tokens marked, and findings about the others. Exits \
      with 1 if training would go wrong: nothing to learn, an end token that is never learned, a doubled \
      beginning-of-text token, a message that the template drops.
      """)

  @Argument(help: ArgumentHelp("Dataset: JSONL files.", valueName: "data"), completion: .file()) var data: [String]
  @Option(
    help: ArgumentHelp(
      "Model: a GGUF file, a Hugging Face folder, a tokenizer.json, or a run folder.", valueName: "model"),
    completion: .file())
  var model: String
  @OptionGroup var encoding: EncodingOptions
  @Flag(help: "Output as one JSON object.") var json = false

  func run() throws {
    let pretrained = try tokenizerOfModel(model)
    let encoder = try naming(model) { try encoding.encoder(pretrained) }
    let audit = DatasetAudit(try Dataset.read(data), encoder)
    try show(json ? audit.json.serialized() + "\n" : audit.text(colored: isatty(STDOUT_FILENO) == 1))
    if !audit.isSound {
      if json { note("Error: this data would train the model wrong; see the findings") }
      throw ExitCode.failure
    }
  }
}

/// How examples are encoded, for every command that reads a dataset.
struct EncodingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Maximum length of an example in tokens; longer ones are truncated.", valueName: "n"))
  var maxLength: Int?
  @OptionGroup var truncated: TruncationOptions
  @OptionGroup var template: TemplateOptions

  func validate() throws {
    if let maxLength, !(2...(1 << 24)).contains(maxLength) {
      throw ValidationError("--max-length must be between 2 and \(1 << 24), not \(maxLength)")
    }
    if maxLength == nil, truncated.truncation != nil { throw ValidationError("--truncation requires --max-length") }
  }

  func encoder(_ pretrained: PretrainedTokenizer) throws -> ExampleEncoder {
    try ExampleEncoder(
      pretrained, template: template.source(), maximumLength: maxLength, truncation: truncated.side)
  }
}

/// The truncation of long examples.
struct TruncationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Truncation: keep-start or keep-end. Examples with nothing left to learn are dropped (default: keep-start).",
      valueName: "side"))
  var truncation: Truncation?

  var side: Truncation { truncation ?? .keepStart }
}

/// How conversations are written.
struct TemplateOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Chat template instead of the model's: a Jinja file, or 'transcript' for \"Human: … Assistant: …\".",
      valueName: "file"),
    completion: .file())
  var chatTemplate: String?

  /// The template that is given; nil for the model's own.
  func source() throws -> String? {
    try chatTemplate.map { path in
      if path == "transcript" { return Transcript.template }
      return try MappedFile(path: path).withBytes { try TextCorpus.string(TextBytes.withoutMark($0), of: path) }
    }
  }
}

extension Truncation: ExpressibleByArgument {}

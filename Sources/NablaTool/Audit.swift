import ArgumentParser
import Glibc
import Nabla

struct Audit: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a model will learn from a data set, and refuse what would train wrong.",
    usage: "nabla audit <data> ... --model <model> [options]",
    discussion: """
      Data are JSONL files (.gz or not) with one example a line, in one of these shapes: text; messages; prompt and \
      completion; prompt, chosen and rejected, or chosen and rejected alone; prompt alone; question and answer (GSM8K).

      Prints one example as the model sees it, with the learned parts marked, and what is odd in the others. Exits with \
      1 when training would go wrong: nothing to learn, an end that is never learned, a doubled beginning, a message \
      that the template leaves out.
      """)

  @Argument(help: ArgumentHelp("JSONL files.", valueName: "data"), completion: .file()) var data: [String]
  @Option(
    help: ArgumentHelp("A GGUF file, a Hugging Face folder, a tokenizer.json, or a run folder.", valueName: "model"),
    completion: .file())
  var model: String
  @OptionGroup var encoding: EncodingOptions
  @Flag(help: "Print one JSON object.") var json = false

  func run() throws {
    let pretrained = try PretrainedTokenizer.load(model)
    let encoder = try naming(model) { try encoding.encoder(pretrained) }
    let audit = DatasetAudit(try Dataset.read(data), encoder)
    try show(json ? audit.json.serialized() + "\n" : audit.text(colored: isatty(STDOUT_FILENO) == 1))
    if !audit.isSound {
      if json { note("Error: training on this data would go wrong; see the findings") }
      throw ExitCode.failure
    }
  }
}

/// How examples become tokens, for every command that reads a data set.
struct EncodingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Longer examples are truncated to this many tokens.", valueName: "n"))
  var maxLength: Int?
  @OptionGroup var truncated: TruncationOptions
  @OptionGroup var template: TemplateOptions

  func validate() throws {
    if let maxLength, !(2...(1 << 24)).contains(maxLength) {
      throw ValidationError("--max-length must be between 2 and \(1 << 24), not \(maxLength)")
    }
  }

  func encoder(_ pretrained: PretrainedTokenizer) throws -> ExampleEncoder {
    try ExampleEncoder(
      pretrained, template: template.source(), maximumLength: maxLength, truncation: truncated.truncation)
  }
}

/// What of an example that is too long is kept.
struct TruncationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What of a longer example is kept: keep-start or keep-end. Examples with nothing left to learn are left out.",
      valueName: "side"))
  var truncation: Truncation = .keepStart
}

/// How conversations are written.
struct TemplateOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A Jinja file instead of the model's chat template, or 'transcript' for \"Human: … Assistant: …\".",
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

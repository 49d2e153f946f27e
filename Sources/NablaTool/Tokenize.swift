import ArgumentParser
import Nabla

struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the tokens of a text or a chat.",
    usage: "nabla tokenize <model> [--text <text> | --file <file> | --chat <file>] [options]",
    discussion: """
      Prints the id and the piece of each token, one per line. The text comes from --text, --file, or standard input. \
      --chat reads messages ([{"role": "user", "content": "..."}, ...]), formats them with the model's chat template, \
      and shows the tokens of the result.
      """)

  @Argument(
    help: "Model: a GGUF file, a Hugging Face folder, a tokenizer.json, or a run folder.",
    completion: .file())
  var model: String
  @Option(parsing: .unconditional, help: ArgumentHelp("Text to tokenize.", valueName: "text")) var text: String?
  @Option(help: ArgumentHelp("File with the text.", valueName: "file"), completion: .file()) var file: String?
  @Option(
    help: ArgumentHelp("JSON file with chat messages.", valueName: "file"), completion: .file(extensions: ["json"]))
  var chat: String?
  @Option(
    help: ArgumentHelp("JSON file with tool descriptions, for --chat.", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var tools: String?
  @Flag(inversion: .prefixedNo, help: "End of a chat with the generation prompt.") var generationPrompt = true
  @Flag(inversion: .prefixedNo, help: "Special tokens that the model expects around a text, such as <s>.")
  var specialTokens = true
  @Flag(help: "Control tokens in the text treated as ordinary characters.") var plain = false
  @Flag(help: "Output of only the number of tokens.") var count = false
  @Flag(help: "Output as one JSON object: tokens, pieces, the bytes of each, and for a chat its text.") var json = false

  func validate() throws {
    if [text, file, chat].compactMap({ $0 }).count > 1 {
      throw ValidationError("give one of --text, --file and --chat")
    }
    if chat == nil, tools != nil { throw ValidationError("--tools is for --chat") }
    if chat == nil, !generationPrompt { throw ValidationError("--no-generation-prompt is for --chat") }
    if chat != nil, plain { throw ValidationError("--plain is for text; a chat requires control tokens") }
    if count, json { throw ValidationError("give one of --count and --json") }
  }

  func run() throws {
    let pretrained = try tokenizerOfModel(model)
    for line in pretrained.notes { note("note: \(printable(line))") }
    let tokenizer = pretrained.tokenizer
    let text = try content(pretrained)
    // A template writes the beginning-of-text token itself.
    let ids = try tokenizer.encode(
      text, recognizingSpecialTokens: !plain, addingSpecialTokens: specialTokens && chat == nil)
    if count { return try show("\(ids.count)\n") }
    if json {
      var object = JSONObject([
        ("tokens", .array(ids.map { .integer(Int($0)) })), ("pieces", .array(ids.map { .string(tokenizer.piece($0)) })),
        // A piece that is a part of a character has no spelling of its own.
        ("bytes", .array(ids.map { .array(tokenizer.bytes(of: $0).map { .integer(Int($0)) }) })),
      ])
      if chat != nil { object["text"] = .string(text) }
      return try show(JSONValue.object(object).serialized() + "\n")
    }
    let width = ids.map { String($0).count }.max() ?? 0
    var lines = ""
    for id in ids {
      let number = String(id)
      let piece = String(reflecting: tokenizer.piece(id))
      lines += String(repeating: " ", count: width - number.count) + number + "  " + piece + "\n"
    }
    try show(lines)
  }

  private func content(_ pretrained: PretrainedTokenizer) throws -> String {
    if let text { return text }
    if let chat {
      let messages = try ChatMessage.list(try JSONValue(contentsOfFile: chat), name: chat)
      let schemas = try tools.map { path in
        guard let list = try JSONValue(contentsOfFile: path).array else {
          throw ChatMessageError(place: path, problem: "expected a list of tools: [{\"type\": \"function\", ...}]")
        }
        return list
      }
      return try naming(model) {
        try pretrained.render(messages, addGenerationPrompt: generationPrompt, tools: schemas)
      }
    }
    if let file {
      return try MappedFile(path: file).withBytes { try TextCorpus.string(TextBytes.withoutMark($0), of: file) }
    }
    return try readStandardInput().withUnsafeBytes { try TextCorpus.string($0[...], of: "standard input") }
  }
}

/// The tokenizer of a model; of a run that trained an adapter, its base model's, with the run's chat template.
func tokenizerOfModel(_ path: String) throws -> PretrainedTokenizer {
  guard let run = try AdapterRun(path) else { return try PretrainedTokenizer.load(path) }
  let text = try PretrainedTokenizer.load(run.base)
  return run.chatTemplate.map(text.templated) ?? text
}

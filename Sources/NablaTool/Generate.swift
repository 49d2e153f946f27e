import ArgumentParser
import Nabla

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Generate text from a prompt with a trained model.",
    usage: "nabla generate <model> [--prompt <text>] [options]",
    discussion: """
      Prints the prompt and the completion as it is generated; with --count above 1 the completions are generated \
      together and printed one after the other, each when it has ended. A completion ends at --max-tokens, at \
      the end of the model's context, at a stop string, or at an end-of-text token. With --chat the prompt is a user \
      message, and only the answer is printed.
      """)

  @OptionGroup(title: "Model") var inference: InferenceOptions
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Prompt; '-' reads it from standard input (default: empty, for a new text).",
      valueName: "text"))
  var prompt: String?
  @Flag(help: "Format the prompt with the model's chat template, as a user message.") var chat = false
  @Option(help: ArgumentHelp("Maximum new tokens.", valueName: "n")) var maxTokens = 256
  @Option(help: ArgumentHelp("Number of completions.", valueName: "n")) var count = 1
  @OptionGroup(title: "Generation") var sampling: SamplingFlags
  @Flag(
    help: """
      Output as one JSON object per completion, without the prompt: text, tokens, reason (length, \
      end_of_text, stop_string; cancelled by Ctrl-C).
      """)
  var json = false
  @Option(
    help: ArgumentHelp(
      "With --json: log-probabilities of each token and of the k most likely alternatives.", valueName: "k"))
  var logProbabilities: Int?

  func validate() throws {
    if maxTokens < 1 { throw ValidationError("--max-tokens must be at least 1, not \(maxTokens)") }
    if !(1...1024).contains(count) { throw ValidationError("--count must be between 1 and 1024, not \(count)") }
    if let logProbabilities {
      if !json { throw ValidationError("--log-probabilities requires --json") }
      if !(0...1000).contains(logProbabilities) {
        throw ValidationError("--log-probabilities must be between 0 and 1000, not \(logProbabilities)")
      }
    }
    if chat, prompt == nil { throw ValidationError("--chat requires a message: give it with --prompt") }
  }

  func run() throws {
    let text = try prompt.map(readPrompt) ?? ""
    let trained = try inference.load()
    var generator = try sampling.generator(trained)
    generator.logProbabilities = logProbabilities
    let streams: [GenerationStream]
    if chat {
      let tokens = try inference.naming { try trained.text.encode([ChatMessage(role: "user", content: text)]) }
      streams = try generator.start(prompts: Array(repeating: tokens, count: count), maximumTokens: maxTokens)
    } else {
      streams = try generator.start(prompt: text, maximumTokens: maxTokens, count: count)
    }
    let beginning = chat ? "" : text
    if count == 1, !json { return try showAsItComes(streams[0], after: beginning) }
    // Each is shown when it and those before it have ended; after Ctrl-C, as far as it was generated.
    StopSignal.install()
    for (index, stream) in streams.enumerated() {
      let completion = try inference.naming {
        while try stream.next(cancellingWhen: { StopSignal.isRequested }) != nil {}
        if StopSignal.isRequested { for stream in streams { stream.cancel() } }
        return try stream.completion()
      }
      if json {
        try show(object(completion, trained.tokenizer).serialized() + "\n")
      } else {
        try show("--- \(index + 1) ---\n\(shownText(beginning + completion.text))\n")
      }
    }
    if let signal = StopSignal.received { throw ExitCode(128 + signal) }
  }

  /// The prompt is shown with the first text, so that an invalid prompt prints nothing.
  private func showAsItComes(_ stream: GenerationStream, after beginning: String) throws {
    var unshown = beginning
    while let piece = try inference.naming({ try stream.next() }) {
      if piece.text.isEmpty { continue }
      try show(shownText(unshown + piece.text))
      unshown = ""
    }
    try show(shownText(unshown) + "\n")
  }

  private func object(_ completion: Completion, _ tokenizer: any Tokenizer) -> JSONValue {
    var object = JSONObject([
      ("text", .string(completion.text)), ("tokens", .array(completion.tokens.map { .integer(Int($0)) })),
      ("reason", .string(completion.reason.name)),
    ])
    guard logProbabilities != nil else { return .object(object) }
    func entry(_ token: Int32, _ logProbability: Float) -> JSONObject {
      JSONObject([
        ("token", .integer(Int(token))), ("piece", .string(tokenizer.piece(token))),
        ("log_probability", .number(Double(logProbability))),
      ])
    }
    object["log_probabilities"] = .array(
      completion.steps.map { step in
        var fields = entry(step.token, step.logProbability ?? 0)
        fields["top"] = .array(step.best.map { .object(entry($0.token, $0.logProbability)) })
        return .object(fields)
      })
    return .object(object)
  }
}

extension Completion.Reason {
  /// The name in machine-readable output.
  fileprivate var name: String {
    switch self {
    case .length: "length"
    case .endOfText: "end_of_text"
    case .stopString: "stop_string"
    case .cancelled: "cancelled"
    }
  }
}

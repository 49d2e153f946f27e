import ArgumentParser
import Glibc
import Nabla

struct Chat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Chat with a model.",
    usage: "nabla chat <model> [options]",
    discussion: """
      Answers each line you type, using the model's own chat template; a model without one, such as a run of 'nabla \
      pretrain', continues the text of all lines instead. If a conversation fills the context, its oldest turns are \
      dropped. Ctrl-C stops an answer, Ctrl-D or another Ctrl-C ends the program; /help lists commands. With --prompt \
      it answers one message and exits. With several --adapter, /adapter switches between them on one model in memory.

      Lines can also come from a file or a pipe: Ctrl-C then ends the program, and it fails if a line had no answer.
      """)

  @OptionGroup(title: "Model") var inference: InferenceOptions
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Single message to answer; '-' reads it from standard input.", valueName: "text"))
  var prompt: String?
  @Option(
    parsing: .unconditional, help: ArgumentHelp("System prompt.", valueName: "text"))
  var system: String?
  @Option(help: ArgumentHelp("Maximum new tokens per answer (default: 1024, or 256 without template).", valueName: "n"))
  var maxTokens: Int?
  @OptionGroup(title: "Generation") var sampling: SamplingFlags
  @Flag(help: "Timing of prefill and decoding after each answer.") var verbose = false

  func validate() throws {
    if let maxTokens, maxTokens < 1 { throw ValidationError("--max-tokens must be at least 1, not \(maxTokens)") }
  }

  func run() throws {
    let message = try prompt.map(readPrompt)
    let trained = try inference.load(severalAdapters: true)
    var session = ChatSession(trained, system: system, generator: try sampling.generator(trained))
    session.maximumTokens = maxTokens ?? (session.continuesText ? 256 : 1024)
    if session.continuesText {
      if system != nil { throw ValidationError("--system needs a chat template, which \(trained.path) lacks") }
      note("\(trained.path) has no chat template: it continues your text.")
    } else {
      // Before anything is typed: a template that does not work, or writes no system message.
      let user = ChatMessage(role: "user", content: "")
      let plain = try inference.naming { try trained.text.render([user]) }
      if let system, !system.isEmpty {
        let instructed = try inference.naming {
          try trained.text.render([ChatMessage(role: "system", content: system), user])
        }
        if instructed == plain {
          throw ValidationError("--system: the chat template of \(trained.path) writes no system messages")
        }
      }
    }
    let isTerminal = message == nil && isatty(STDIN_FILENO) == 1
    if let message { return try answer(message, &session, isTerminal) }
    var lines = LineReader()
    var unanswered = 0
    if isTerminal { note("Ctrl-C stops an answer, Ctrl-D ends the chat, /help lists commands.") }
    while true {
      if isTerminal { try show("> ") }
      guard let bytes = try lines.next() else { break }
      guard let line = String(validating: bytes, as: UTF8.self) else {
        note("that was not UTF-8 text")
        unanswered += 1
        continue
      }
      // A leading space also turns a command into a message.
      switch line.hasPrefix("/") ? line.trimmingSpaces : line.isBlank ? "" : "message" {
      case "": continue
      case "/quit", "/exit": return
      case "/reset":
        session.reset()
        note("The conversation is reset.")
      case "/help":
        note(
          """
          /reset starts a new conversation, /adapter lists adapters, /adapter NAME uses one and /adapter none the base \
          model, /quit exits, anything else is a message to the model. To send a line that starts with a slash, double \
          it, as in //quit.
          """)
      case let command where command.split(separator: " ").first == "/adapter":
        let name = String(command.dropFirst("/adapter".count)).trimmingSpaces
        do {
          try switchAdapter(name, trained, &session)
        } catch let error as AdapterError {
          note("\(error)")
          unanswered += 1
        }
      default:
        let line = line.hasPrefix("//") ? String(line.dropFirst()) : line
        do {
          try answer(line, &session, isTerminal)
        } catch let error as GenerationError {
          // The conversation is unchanged; a shorter message or /reset can continue it.
          note("\(error)\n/reset resets the conversation.")
          unanswered += 1
        } catch let error as ChatTemplateError {
          note("\(error)")
          unanswered += 1
        }
      }
    }
    if isTerminal { return try show("\n") }
    if unanswered > 0 { throw ExitCode.failure }
  }

  /// Lists the adapters, or uses the one that is named by its path, the end of that, or its number. The conversation
  /// stays: the model reads it again, as another would.
  private func switchAdapter(_ name: String, _ trained: TrainedModel, _ session: inout ChatSession) throws {
    let names = trained.model.adapterNames
    if name.isEmpty {
      for (i, known) in names.enumerated() {
        note("\(known == trained.model.usedAdapter ? "*" : " ") \(i + 1) \(known)")
      }
      return note("\(trained.model.usedAdapter == nil ? "*" : " ") none")
    }
    let chosen =
      Int(name).flatMap { names.indices.contains($0 - 1) ? names[$0 - 1] : nil }
      ?? names.first { $0 == name || $0.hasSuffix("/" + name) }
    guard chosen != nil || name == "none" else { throw AdapterError.unknown(name: name, known: names) }
    trained.model.useAdapter(chosen)
    // What the engine keeps of the conversation was computed with the adapter of before.
    session.generator = try sampling.generator(trained)
    note("adapter: \(chosen ?? "none")")
  }

  private func answer(_ message: String, _ session: inout ChatSession, _ isTerminal: Bool) throws {
    let clock = ContinuousClock()
    let start = clock.now
    // While a line is awaited a signal ends the program, as always; it ends the answer only.
    StopSignal.install()
    defer { StopSignal.remove() }
    let dropped = session.droppedCount
    // A line of text ends with a line feed, which the terminal shows where it was typed.
    let answer = try session.send(message + (session.continuesText && self.prompt == nil ? "\n" : ""))
    if session.droppedCount > dropped {
      let count = session.droppedCount - dropped
      note("The \(count) oldest messages no longer fit the model's context and were dropped.")
    }
    var first: ContinuousClock.Instant?
    var cacheBytes = 0
    let completion = try inference.naming {
      while let piece = try answer.next(cancellingWhen: { StopSignal.isRequested }) {
        first = first ?? clock.now
        cacheBytes = max(cacheBytes, session.generator.engine.statistics.cacheBytes)
        if !piece.text.isEmpty { try show(shownText(piece.text)) }
      }
      return try session.finish(answer)
    }
    try show("\n")
    // At a terminal Ctrl-C stops the answer, and the conversation goes on.
    if let signal = StopSignal.received, !(isTerminal && signal == SIGINT) { throw ExitCode(128 + signal) }
    guard verbose, let first else { return }
    let tokens = completion.tokens.count
    let (reading, writing) = (seconds(first - start), seconds(clock.now - first))
    let read = completion.promptCount - completion.cachedCount
    note(
      "prefill: \(read) tokens in \(rounded(reading)) s (\(rounded(Double(read) / reading)) tokens/s); "
        + "decode: \(tokens) tokens (\(rounded(Double(tokens - 1) / max(writing, 1e-9))) tokens/s); cache: "
        + "\(grouped(cacheBytes)) bytes")
  }

  private func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }
}

/// Standard input, line by line.
private struct LineReader {
  private var buffer: [UInt8] = []
  private var isAtEnd = false

  /// The next line without its end; nil at the end of the input.
  mutating func next() throws(FileError) -> [UInt8]? {
    while true {
      if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
        defer { buffer.removeFirst(end + 1) }
        // Windows line endings.
        return Array(end > 0 && buffer[end - 1] == UInt8(ascii: "\r") ? buffer[..<(end - 1)] : buffer[..<end])
      }
      if isAtEnd {
        defer { buffer = [] }
        return buffer.isEmpty ? nil : buffer
      }
      var part = [UInt8](repeating: 0, count: 4096)
      let count = retryingInterrupts { read(STDIN_FILENO, &part, part.count) }
      if count < 0 { throw FileError(path: "standard input", operation: "read", code: errno) }
      isAtEnd = count == 0
      buffer += part[..<count]
    }
  }
}

extension String {
  fileprivate var isBlank: Bool { allSatisfy(\.isWhitespace) }

  fileprivate var trimmingSpaces: String {
    let isSpace: (Character) -> Bool = { $0.isWhitespace }
    return String(drop(while: isSpace).reversed().drop(while: isSpace).reversed())
  }
}

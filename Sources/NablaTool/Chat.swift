import ArgumentParser
import Glibc
import Nabla

struct Chat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Talk with a model.",
    usage: "nabla chat <model> [options]",
    discussion: """
      Answers each line that is typed, by the model's own chat template. Ctrl-C stops an answer, Ctrl-D ends the program; \
      /help lists what else can be typed. With --prompt it answers one message and ends.
      """)

  @OptionGroup(title: "Model") var inference: InferenceOptions
  @Option(help: ArgumentHelp("A message to answer; '-' reads it from standard input.", valueName: "text"))
  var prompt: String?
  @Option(help: ArgumentHelp("What the model is told before the conversation.", valueName: "text"))
  var system: String?
  @Option(help: ArgumentHelp("Most tokens of an answer.", valueName: "n")) var maxTokens = 1024
  @OptionGroup(title: "Choice of tokens") var sampling: SamplingFlags
  @Flag(help: "Say how long reading and answering took.") var verbose = false

  func validate() throws {
    if maxTokens < 1 { throw ValidationError("--max-tokens must be at least 1, not \(maxTokens)") }
  }

  func run() throws {
    let message = try prompt.map(readPrompt)
    let trained = try inference.load()
    // Before anything is typed: a model without a template cannot chat.
    _ = try trained.text.render([ChatMessage(role: "user", content: "")])
    var session = ChatSession(
      trained, system: system, generator: sampling.generator(trained, cacheType: inference.cacheType))
    session.maximumTokens = maxTokens
    if let message { return try answer(message, &session) }
    StopSignal.install()
    let isTerminal = isatty(STDIN_FILENO) == 1
    if isTerminal { note("Ctrl-C stops an answer, Ctrl-D ends. /help lists more.") }
    while true {
      if isTerminal { try show("> ") }
      guard let bytes = readLineBytes() else { break }
      guard let line = String(validating: bytes, as: UTF8.self) else {
        note("that was not UTF-8 text")
        continue
      }
      switch line.trimmingSpaces {
      case "": continue
      case "/quit", "/exit": return
      case "/reset":
        session.reset()
        note("The conversation begins anew.")
      case "/help":
        note("/reset begins the conversation anew, /quit ends, anything else is a message to the model.")
      case let command where command.hasPrefix("/"):
        note("there is no \(command); /help lists what there is")
      default:
        do {
          try answer(line, &session)
        } catch let error as GenerationError {
          // The conversation is as it was; a shorter message or /reset may go on.
          note("\(error)\n/reset begins anew.")
        } catch let error as ChatTemplateError {
          note("\(error)")
        }
      }
    }
    if isTerminal { try show("\n") }
  }

  private func answer(_ message: String, _ session: inout ChatSession) throws {
    let clock = ContinuousClock()
    let start = clock.now
    // A Ctrl-C at the prompt was for nothing that runs.
    StopSignal.reset()
    let answer = try session.send(message)
    var first: ContinuousClock.Instant?
    while !StopSignal.isRequested, let pieces = try answer.next() {
      first = first ?? clock.now
      for piece in pieces { try show(shownText(piece.text)) }
    }
    StopSignal.reset()
    session.finish(answer)
    try show("\n")
    guard verbose, let first else { return }
    let tokens = answer.completions[0].tokens.count
    let (reading, writing) = (seconds(first - start), seconds(clock.now - first))
    let read = session.generator.tokens.lastReadCount
    note(
      "read \(read) tokens in \(rounded(reading)) s (\(rounded(Double(read) / reading)) a second), wrote \(tokens): "
        + "\(rounded(Double(tokens - 1) / max(writing, 1e-9))) a second; the cache holds "
        + "\(grouped(session.generator.tokens.cache.bytes)) bytes")
  }

  private func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }
}

/// A line of standard input without its end; nil at the end of the input.
private func readLineBytes() -> [UInt8]? {
  var pointer: UnsafeMutablePointer<CChar>?
  var capacity = 0
  defer { free(pointer) }
  let count = getline(&pointer, &capacity, stdin)
  guard count >= 0, let pointer else { return nil }
  let bytes = UnsafeRawBufferPointer(start: pointer, count: count)
  return Array(bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...])
}

extension String {
  fileprivate var trimmingSpaces: String {
    let isSpace: (Character) -> Bool = { $0.isWhitespace }
    return String(drop(while: isSpace).reversed().drop(while: isSpace).reversed())
  }
}

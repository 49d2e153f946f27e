import Glibc
import NablaNN
import NablaTensor
import NablaText

/// Serves requests from any number of threads and tasks, many at a time, on its own thread.
///
/// ```swift
/// let engine = InferenceEngine(model, tokenizer: tokenizer)
/// let stream = try engine.submit(GenerationRequest(TokenRequest(prompt: tokens, random: RandomSource(seed: 1))))
/// for try await piece in stream { print(piece.text, terminator: "") }
/// ```
///
/// A request is admitted when the cache has room for its maximum length; until then it waits. One that fails
/// (non-finite logits, a hook that masks every token) does not affect the others. The output of a request does not
/// depend on the others, see ``InferenceCore``.
///
/// The engine owns the model: while it lives nothing else may run or change it.
public final class InferenceEngine: @unchecked Sendable {
  public let tokenizer: any Tokenizer
  private let rules: RequestRules
  private let inbox = Monitor(Inbox())
  private var thread = pthread_t()

  public init(
    _ model: TransformerLM, tokenizer: any Tokenizer, cacheType: CacheType = .bfloat16,
    limits: InferenceLimits = .init()
  ) {
    self.tokenizer = tokenizer
    let core = InferenceCore(model, cacheType: cacheType, limits: limits)
    rules = core.rules
    // Unchecked: `thread` is written here and read in `deinit`; the core belongs to the thread.
    let worker = Unmanaged.passRetained(Worker(core, tokenizer, inbox))
    let status = pthread_create(&thread, nil, Self.run, worker.toOpaque())
    precondition(status == 0, "InferenceEngine: cannot create a thread (error \(status))")
  }

  private static let run: @convention(c) @Sendable (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { worker in
    Unmanaged<Worker>.fromOpaque(worker!).takeRetainedValue().run()
    return nil
  }

  /// Ends active requests; returns when the model is no longer used.
  deinit {
    inbox.update { $0.isClosed = true }
    pthread_join(thread, nil)
  }

  /// The maximum number of tokens of a prompt and its continuation together.
  public var context: Int { rules.context }

  /// Starts requests together: equal prompts are prefilled once.
  ///
  /// - Throws: ``GenerationError`` if one of them can never run; none is then started.
  public func submit(_ requests: [GenerationRequest]) throws(GenerationError) -> [GenerationStream] {
    for request in requests { try rules.check(request.tokens) }
    let mailboxes = requests.map { _ in Mailbox() }
    let first = inbox.update { inbox in
      defer { inbox.tickets += requests.count }
      for (index, request) in requests.enumerated() where request.tokens.maximumTokens >= 1 {
        inbox.messages.append(.submit(ticket: inbox.tickets + index, request, mailboxes[index]))
      }
      return inbox.tickets
    }
    for (request, mailbox) in zip(requests, mailboxes) where request.tokens.maximumTokens < 1 {
      mailbox.end(.success(CompletionWriter(request, tokenizer).completion))
    }
    return mailboxes.enumerated().map { GenerationStream(self, ticket: first + $0.offset, $0.element) }
  }

  /// Starts one request.
  public func submit(_ request: GenerationRequest) throws(GenerationError) -> GenerationStream {
    try submit([request])[0]
  }

  /// Drops the cached keys and values of finished continuations; returns when that is done.
  public func forgetPrefix() {
    let number = inbox.update { inbox in
      inbox.messages.append(.forgetPrefix)
      inbox.forgetsAsked += 1
      return inbox.forgetsAsked
    }
    inbox.wait { $0.forgetsDone >= number ? () : nil }
  }

  /// As of the last step.
  public var statistics: InferenceStatistics { inbox.update { $0.statistics } }

  func cancel(_ ticket: Int) { inbox.update { $0.messages.append(.cancel(ticket: ticket)) } }
}

/// Messages to the engine's thread, and its statistics.
private struct Inbox {
  enum Message {
    case submit(ticket: Int, GenerationRequest, Mailbox)
    case cancel(ticket: Int)
    case forgetPrefix
  }

  var messages: [Message] = []
  var tickets = 0
  var isClosed = false
  var (forgetsAsked, forgetsDone) = (0, 0)
  var statistics = InferenceStatistics()
}

/// The engine's thread: takes messages between two steps of the core, and distributes the results of a step.
private final class Worker {
  private struct Job {
    let ticket: Int
    var writer: CompletionWriter
    let mailbox: Mailbox
  }

  private let core: InferenceCore
  private let tokenizer: any Tokenizer
  private let inbox: Monitor<Inbox>
  /// By the core's request numbers.
  private var jobs: [Int: Job] = [:]
  private var numbers: [Int: Int] = [:]

  init(_ core: InferenceCore, _ tokenizer: any Tokenizer, _ inbox: Monitor<Inbox>) {
    (self.core, self.tokenizer, self.inbox) = (core, tokenizer, inbox)
  }

  func run() {
    while true {
      let (messages, isClosed) = inbox.wait { inbox in
        if core.isDone, inbox.messages.isEmpty, !inbox.isClosed { return ([Inbox.Message], Bool)?.none }
        defer { inbox.messages = [] }
        return (inbox.messages, inbox.isClosed)
      }
      if isClosed { break }
      for message in messages { take(message) }
      for step in core.step() { deliver(step) }
      let forgets = messages.count { if case .forgetPrefix = $0 { true } else { false } }
      inbox.update { inbox in
        inbox.statistics = core.statistics
        inbox.forgetsDone += forgets
      }
    }
    for number in Array(jobs.keys) { cancel(number) }
  }

  private func take(_ message: Inbox.Message) {
    switch message {
    case .submit(let ticket, let request, let mailbox):
      // The engine has already checked it by the same rules.
      guard let number = try? core.add(request.tokens) else { preconditionFailure("an engine's request was refused") }
      jobs[number] = Job(ticket: ticket, writer: CompletionWriter(request, tokenizer), mailbox: mailbox)
      numbers[ticket] = number
    case .cancel(let ticket):
      if let number = numbers[ticket] { cancel(number) }
    case .forgetPrefix: core.forgetPrefix()
    }
  }

  private func cancel(_ number: Int) {
    guard var job = jobs[number] else { return }
    core.end(number)
    let text = job.writer.cancel()
    if !text.isEmpty { job.mailbox.put(.init(token: nil, text: text)) }
    end(number, .success(job.writer.completion))
  }

  private func deliver(_ step: InferenceCore.Step) {
    guard case .success(let token) = step.result else {
      if case .failure(let error) = step.result { end(step.request, .failure(error)) }
      return
    }
    let text = jobs[step.request]!.writer.append(token, end: step.end, cachedCount: step.cachedCount)
    let job = jobs[step.request]!
    job.mailbox.put(.init(token: token, text: text))
    guard job.writer.isDone else { return }
    if step.end == nil { core.end(step.request) }
    end(step.request, .success(job.writer.completion))
  }

  private func end(_ number: Int, _ result: Result<Completion, GenerationError>) {
    guard let job = jobs.removeValue(forKey: number) else { return }
    numbers[job.ticket] = nil
    job.mailbox.end(result)
  }
}

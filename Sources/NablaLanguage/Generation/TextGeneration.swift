import NablaNN
import NablaTensor
import NablaText

/// Continuations under way: text as it comes, a token at a time.
///
/// ```swift
/// let generation = try generator.start(prompt: "Once", maximumTokens: 100)
/// while let pieces = try generation.next() { for piece in pieces { print(piece.text, terminator: "") } }
/// ```
public final class TextGeneration {
  /// Text that is certain, of one of the continuations.
  public struct Piece: Sendable, Equatable {
    public let continuation: Int
    public let text: String
  }

  private let tokens: TokenGenerator
  private var writers: [Int: (index: Int, writer: CompletionWriter)] = [:]
  private var finished: [Int: Completion] = [:]
  private let count: Int

  init(_ tokens: TokenGenerator, _ requests: [TokenRequest], _ makeWriter: () -> CompletionWriter)
    throws(GenerationError)
  {
    self.tokens = tokens
    count = requests.count
    for (index, request) in requests.enumerated() {
      if request.maximumTokens < 1 {
        finished[index] = Completion()
        continue
      }
      writers[try tokens.add(request)] = (index, makeWriter())
    }
  }

  /// What came with the next token of every continuation; nil when all have ended.
  public func next() throws(GenerationError) -> [Piece]? {
    if writers.isEmpty { return nil }
    var pieces: [Piece] = []
    for step in try tokens.step() {
      guard let (index, earlier) = writers[step.request] else { continue }
      var writer = earlier
      var text = writer.append(step.token, end: step.end)
      if writer.isDone, step.end == nil { tokens.end(step.request) }
      if writer.isDone || step.end != nil {
        text += writer.finish()
        finished[index] = writer.completion
        writers[step.request] = nil
      } else {
        writers[step.request] = (index, writer)
      }
      if !text.isEmpty { pieces.append(Piece(continuation: index, text: text)) }
    }
    return pieces
  }

  /// Ends the continuations where they stand.
  public func cancel() {
    for (request, entry) in writers {
      tokens.end(request)
      var writer = entry.writer
      writer.cancel()
      _ = writer.finish()
      finished[entry.index] = writer.completion
    }
    writers = [:]
  }

  /// The continuations so far: all of them once `next()` has returned nil.
  public var completions: [Completion] {
    var result = finished
    for (index, writer) in writers.values { result[index] = writer.completion }
    return (0..<count).map { result[$0]! }
  }

  /// A continuation that has ended; nil while it is under way.
  public func finished(_ continuation: Int) -> Completion? { finished[continuation] }

  /// The pieces as they come. The model computes in the task that reads; nothing else may use it meanwhile.
  public func stream() -> AsyncThrowingStream<Piece, any Error> {
    let state = StreamState(self)
    return AsyncThrowingStream { try state.next() }
  }

  /// Unchecked: a stream is read by one task at a time, and the model belongs to whoever reads it.
  private final class StreamState: @unchecked Sendable {
    private let generation: TextGeneration
    private var ready: [Piece] = []

    init(_ generation: TextGeneration) { self.generation = generation }

    func next() throws -> Piece? {
      while ready.isEmpty {
        if Task.isCancelled { generation.cancel() }
        guard let pieces = try generation.next() else { return nil }
        ready = pieces.reversed()
      }
      return ready.removeLast()
    }
  }
}

/// One continuation.
public struct Completion: Sendable {
  public internal(set) var tokens: [Int32] = []
  public internal(set) var text = ""
  /// Each token with its log-probabilities, where they were asked for.
  public internal(set) var steps: [GeneratedToken] = []
  /// Why it ended.
  public internal(set) var reason = Reason.length
  public enum Reason: String, Sendable, Codable {
    /// As many tokens as asked for, or the end of the context.
    case length
    /// A token that ends a text.
    case endOfText
    case stopString
    /// Ended from outside.
    case cancelled
  }
}

/// Makes text of a continuation's tokens, and holds back what may turn out to begin a stop string.
struct CompletionWriter {
  private(set) var completion = Completion()
  private(set) var isDone = false
  private var decoder: StreamingDecoder
  private let stopStrings: [[UInt8]]
  /// Decoded text that has not been handed out.
  private var held = ""

  /// - Parameter continuing: whether the text goes on from another.
  init(_ tokenizer: any Tokenizer, stopStrings: [String], continuing: Bool = false) {
    decoder = StreamingDecoder(tokenizer, continuing: continuing)
    self.stopStrings = stopStrings.filter { !$0.isEmpty }.map { Array($0.utf8) }
  }

  /// Returns the text that is now certain.
  mutating func append(_ step: GeneratedToken, end: TokenGenerator.End?) -> String {
    completion.tokens.append(step.token)
    if step.logProbability != nil { completion.steps.append(step) }
    if end == .stopToken {
      completion.reason = .endOfText
      return ""
    }
    held += decoder.append(step.token)
    return release()
  }

  mutating func cancel() { completion.reason = .cancelled }

  mutating func finish() -> String {
    guard completion.reason != .stopString else { return "" }
    held += decoder.finish()
    let text = release()
    defer { held = "" }
    completion.text += held
    return text + held
  }

  /// Hands out what cannot belong to a stop string. Compares bytes: a Character may span the end of a stop string, as
  /// "\r\n" does that of "\r".
  private mutating func release() -> String {
    let bytes = Array(held.utf8)
    // The match that ends first is the one a reader would have met first.
    let matches = stopStrings.compactMap { bytes.firstRange(of: $0) }
    if let match = matches.min(by: { ($0.upperBound, $0.lowerBound) < ($1.upperBound, $1.lowerBound) }) {
      isDone = true
      completion.reason = .stopString
      return hand(bytes[..<match.lowerBound], keeping: [])
    }
    // The longest tail that is the beginning of a stop string stays.
    let longest = min(bytes.count, (stopStrings.map(\.count).max() ?? 1) - 1)
    let kept = (0...longest).last { count in stopStrings.contains { $0.starts(with: bytes.suffix(count)) } } ?? 0
    return hand(bytes.dropLast(kept), keeping: bytes.suffix(kept))
  }

  private mutating func hand(_ text: ArraySlice<UInt8>, keeping rest: ArraySlice<UInt8>) -> String {
    let text = String(decoding: text, as: UTF8.self)
    held = String(decoding: rest, as: UTF8.self)
    completion.text += text
    return text
  }
}

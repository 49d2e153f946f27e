/// What an engine makes of one request: pieces as they come, and the whole at the end.
///
/// ```swift
/// for try await piece in stream { print(piece.text, terminator: "") }      // in a task
/// while let piece = try stream.next() { print(piece.text, terminator: "") }   // blocks the thread
/// print(try stream.completion().reason)
/// ```
///
/// Whoever reads it, in one way or the other, does so alone. The request is cancelled when the task that reads is, and
/// when nobody has the stream any more.
public final class GenerationStream: AsyncSequence, Sendable {
  /// A token, and the text that became certain with it: none where it ends in the middle of a character or may begin a
  /// stop string. Text without a token is what was held back when the request was cancelled.
  public struct Piece: Sendable {
    public let token: GeneratedToken?
    public let text: String
  }

  let mailbox: Mailbox
  private let engine: InferenceEngine
  private let ticket: Int

  init(_ engine: InferenceEngine, ticket: Int, _ mailbox: Mailbox) {
    (self.engine, self.ticket, self.mailbox) = (engine, ticket, mailbox)
  }

  deinit { cancel() }

  /// Ends the request within one step of the model, be it in its prompt. The pieces made until then can still be read.
  public func cancel() {
    if !mailbox.isEnded { engine.cancel(ticket) }
  }

  /// The next piece; nil at the end. Blocks the thread until it is there.
  ///
  /// - Parameter isStopped: asked every 20 ms meanwhile; once it says so, the request is cancelled.
  /// - Throws: what is wrong with this request.
  public func next(cancellingWhen isStopped: (() -> Bool)? = nil) throws(GenerationError) -> Piece? {
    if isStopped?() == true { cancel() }
    return try mailbox.wait(polling: isStopped.map { isStopped in { if isStopped() { self.cancel() } } }).get()
  }

  /// The whole, once the request has ended: blocks the thread until then. Pieces that were not read remain.
  public func completion() throws(GenerationError) -> Completion { try mailbox.waitForEnd().get() }

  /// Whether the request has ended.
  public var isEnded: Bool { mailbox.isEnded }

  public func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

  public struct Iterator: AsyncIteratorProtocol {
    fileprivate let stream: GenerationStream

    public func next() async throws -> Piece? {
      let stream = stream
      return try await withTaskCancellationHandler {
        while true {
          if let result = stream.mailbox.take() { return try result.get() }
          await stream.mailbox.arrival()
        }
      } onCancel: {
        stream.cancel()
      }
    }
  }
}

/// Pieces on their way from the engine's thread to a reader.
final class Mailbox: Sendable {
  private struct State {
    var pieces: [GenerationStream.Piece] = []
    var taken = 0
    var end: Result<Completion, GenerationError>?
    var reader: CheckedContinuation<Void, Never>?

    /// The next piece, or nil at the end; nothing if it has yet to come.
    mutating func take() -> Result<GenerationStream.Piece?, GenerationError>? {
      if taken < pieces.count {
        defer { taken += 1 }
        return .success(pieces[taken])
      }
      (pieces, taken) = ([], 0)
      return end.map { $0.map { _ in nil } }
    }
  }

  private let state = Monitor(State())

  func put(_ piece: GenerationStream.Piece) { change { $0.pieces.append(piece) } }
  func end(_ result: Result<Completion, GenerationError>) { change { $0.end = result } }

  private func change(_ body: (inout State) -> Void) {
    let reader = state.update { state in
      body(&state)
      defer { state.reader = nil }
      return state.reader
    }
    reader?.resume()
  }

  var isEnded: Bool { state.update { $0.end != nil } }
  func take() -> Result<GenerationStream.Piece?, GenerationError>? { state.update { $0.take() } }
  func wait(polling poll: (() -> Void)?) -> Result<GenerationStream.Piece?, GenerationError> {
    state.wait(polling: poll) { $0.take() }
  }
  func waitForEnd() -> Result<Completion, GenerationError> { state.wait { $0.end } }

  /// Returns when there is something to take.
  func arrival() async {
    await withCheckedContinuation { reader in
      let isThere = state.update { state in
        if state.taken < state.pieces.count || state.end != nil { return true }
        state.reader = reader
        return false
      }
      if isThere { reader.resume() }
    }
  }
}

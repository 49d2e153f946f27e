/// The output of an engine for one request: pieces as they are generated, and the completion at the end.
///
/// ```swift
/// for try await piece in stream { print(piece.text, terminator: "") }      // in a task
/// while let piece = try stream.next() { print(piece.text, terminator: "") }   // blocks the thread
/// print(try stream.completion().reason)
/// ```
///
/// It has a single reader, of either kind. The request is canceled when the reading task is,
/// and when the stream is released.
public final class GenerationStream: AsyncSequence, Sendable {
  /// A token, and the text that became certain with it: none if it ends in the middle of a character or may
  /// begin a stop string. Text without a token was held back when the request was canceled.
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

  /// Ends the request within one step of the model, even during its prompt. Pieces generated before can still be read.
  public func cancel() {
    if !mailbox.isEnded { engine.cancel(ticket) }
  }

  /// The next piece; nil at the end. Blocks the thread until it is available.
  ///
  /// - Parameter isStopped: polled every 20 ms meanwhile; once it is true, the request is canceled.
  /// - Throws: the error of this request.
  public func next(cancellingWhen isStopped: (() -> Bool)? = nil) throws(GenerationError) -> Piece? {
    if isStopped?() == true { cancel() }
    return try mailbox.wait(polling: isStopped.map { isStopped in { if isStopped() { self.cancel() } } }).get()
  }

  /// The completion, once the request has ended: blocks the thread until then. Unread pieces remain.
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

/// A queue of pieces from the engine's thread to a reader.
final class Mailbox: Sendable {
  private struct State {
    var pieces: [GenerationStream.Piece] = []
    var taken = 0
    var end: Result<Completion, GenerationError>?
    var reader: CheckedContinuation<Void, Never>?

    /// The next piece, or nil at the end; nothing if it is not available yet.
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

  /// Returns when there is something to read.
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

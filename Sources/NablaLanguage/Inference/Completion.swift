import NablaText

/// One completion.
public struct Completion: Sendable {
  public internal(set) var text = ""
  /// Each token, with its log-probabilities.
  public internal(set) var steps: [GeneratedToken] = []
  public var tokens: [Int32] { steps.map(\.token) }
  /// Tokens of the prompt, and how many of them were already cached.
  public internal(set) var promptCount = 0
  public internal(set) var cachedCount = 0
  /// Why it ended.
  public internal(set) var reason = Reason.length
  public enum Reason: String, Sendable, Codable {
    /// The maximum number of tokens, or the end of the context.
    case length
    /// An end-of-text token.
    case endOfText
    case stopString
    /// Canceled.
    case cancelled
  }
}

/// Decodes a completion's tokens, and holds back text that may be the beginning of a stop string.
struct CompletionWriter {
  private(set) var completion = Completion()
  private(set) var isDone = false
  private var decoder: StreamingDecoder
  private let stopStrings: [[UInt8]]
  /// Decoded text that has not been returned yet.
  private var held = ""

  init(_ request: GenerationRequest, _ tokenizer: any Tokenizer) {
    decoder = StreamingDecoder(tokenizer, continuing: request.continuesText)
    stopStrings = request.stopStrings.filter { !$0.isEmpty }.map { Array($0.utf8) }
    completion.promptCount = request.tokens.prompt.count
  }

  /// Takes the next token, and returns the text that is now certain. The completion has ended when `isDone`, because
  /// of this token or a stop string.
  mutating func append(_ token: GeneratedToken, end: InferenceCore.End?, cachedCount: Int) -> String {
    completion.steps.append(token)
    completion.cachedCount = cachedCount
    var text = ""
    if end == .stopToken {
      completion.reason = .endOfText
    } else {
      held += decoder.append(token.token)
      text = release()
    }
    if end != nil || isDone { text += finish() }
    return text
  }

  /// Ends the completion where it is, and returns the text that was held back.
  mutating func cancel() -> String {
    completion.reason = .cancelled
    return finish()
  }

  private mutating func finish() -> String {
    isDone = true
    guard completion.reason != .stopString else { return "" }
    held += decoder.finish()
    let text = release()
    defer { held = "" }
    completion.text += held
    return text + held
  }

  /// Returns text that cannot belong to a stop string. Compares bytes: a Character may span the end of a stop string,
  /// as "\r\n" does that of "\r".
  private mutating func release() -> String {
    let bytes = Array(held.utf8)
    // The match that ends first is the one that a token-by-token reader finds first.
    let matches = stopStrings.compactMap { bytes.firstRange(of: $0) }
    if let match = matches.min(by: { ($0.upperBound, $0.lowerBound) < ($1.upperBound, $1.lowerBound) }) {
      isDone = true
      completion.reason = .stopString
      return hand(bytes[..<match.lowerBound], keeping: [])
    }
    // The longest suffix that is the beginning of a stop string is held back.
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

import NablaNN
import NablaTensor

/// How much memory inference may take for keys and values, and how many continuations run at a time.
public struct InferenceLimits: Sendable {
  /// Bytes of the key-value cache. A request is let in when all that it may come to need is free.
  public var cacheBytes: Int
  /// Bytes of those that continuations which have ended may keep, for prompts that begin as they do; 0 for none.
  public var prefixBytes: Int
  /// The most continuations at a time; others wait for their turn.
  public var continuations: Int

  /// - Parameters:
  ///   - cacheBytes: nil for half of what the system has available.
  ///   - prefixBytes: nil for a quarter of `cacheBytes`.
  public init(cacheBytes: Int? = nil, prefixBytes: Int? = nil, continuations: Int = 256) {
    precondition(continuations >= 1, "InferenceLimits: \(continuations) continuations")
    self.cacheBytes = cacheBytes ?? Memory.available.map { $0 / 2 } ?? 4 << 30
    self.prefixBytes = prefixBytes ?? self.cacheBytes / 4
    self.continuations = continuations
  }
}

/// What inference holds at a moment.
public struct InferenceStatistics: Sendable, Equatable {
  /// Continuations under way, and requests that wait for their turn.
  public var active = 0
  public var waiting = 0
  /// Bytes of the key-value cache in use, and of those the ones kept of what has ended.
  public var cacheBytes = 0
  public var prefixBytes = 0
}

/// What a request must be to be taken.
struct RequestRules: Sendable {
  let context: Int
  let vocabulary: Int
  let pageBytes: Int
  let pages: Int

  init(_ c: TransformerConfiguration, _ cache: KeyValueCache, _ limits: InferenceLimits) {
    (context, vocabulary, pageBytes) = (c.context, c.vocabularySize, cache.pageBytes)
    pages = limits.cacheBytes / cache.pageBytes
  }

  /// The most positions that a request's keys and values take: the last token is chosen and not read.
  func positions(_ request: TokenRequest) -> Int {
    request.prompt.count + Swift.min(request.maximumTokens, context - request.prompt.count) - 1
  }

  func check(_ request: TokenRequest) throws(GenerationError) {
    guard !request.prompt.isEmpty else { throw .emptyPrompt }
    guard request.prompt.count < context else {
      throw .promptTooLong(tokens: request.prompt.count, context: context)
    }
    if let token = request.prompt.first(where: { $0 < 0 || Int($0) >= vocabulary }) {
      throw .unknownToken(token, vocabulary: vocabulary)
    }
    let needed = KeyValueCache.pages(holding: positions(request))
    guard needed <= pages else {
      throw .cacheTooSmall(
        positions: positions(request), bytes: needed * pageBytes, budget: pages * pageBytes)
    }
  }
}

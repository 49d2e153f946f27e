import NablaNN
import NablaTensor

/// How much memory inference may use for keys and values, and how many continuations run at a time.
public struct InferenceLimits: Sendable {
  /// Bytes of the key-value cache. A request is admitted when all that it may need is free.
  public var cacheBytes: Int
  /// Bytes of the prefix cache, which keeps finished sequences for prompts with the same prefix; 0 for none.
  public var prefixBytes: Int
  /// The maximum number of continuations at a time; others wait.
  public var continuations: Int

  /// - Parameters:
  ///   - cacheBytes: nil for half of what the system has available.
  ///   - prefixBytes: nil for a quarter of `cacheBytes`.
  ///   - continuations: the maximum number at a time, 1 or more; others wait.
  public init(cacheBytes: Int? = nil, prefixBytes: Int? = nil, continuations: Int = 256) {
    precondition(continuations >= 1, "InferenceLimits: \(continuations) continuations")
    self.cacheBytes = cacheBytes ?? Memory.available.map { $0 / 2 } ?? 4 << 30
    self.prefixBytes = prefixBytes ?? self.cacheBytes / 4
    self.continuations = continuations
  }
}

/// The current state of inference.
public struct InferenceStatistics: Sendable, Equatable {
  /// Active continuations, and waiting requests.
  public var active = 0
  public var waiting = 0
  /// Bytes of the key-value cache in use, and those of them in the prefix cache.
  public var cacheBytes = 0
  public var prefixBytes = 0
}

/// The conditions for accepting a request.
struct RequestRules: Sendable {
  let context: Int
  let vocabulary: Int
  let pageBytes: Int
  let pages: Int

  init(_ c: TransformerConfiguration, _ cache: KeyValueCache, _ limits: InferenceLimits) {
    (context, vocabulary, pageBytes) = (c.context, c.vocabularySize, cache.pageBytes)
    pages = limits.cacheBytes / cache.pageBytes
  }

  /// The maximum number of positions of a request's keys and values: the last token is sampled but not processed.
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

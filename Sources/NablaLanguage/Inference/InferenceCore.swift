import NablaNN
import NablaTensor

/// Generates from any number of prompts together, one token of each at a time, on the calling thread.
///
/// Prompts may have any length: their tokens are the rows of one matrix, without padding. Continuations leave
/// when they end and others take their place. Equal prompts are prefilled once, and prefixes shared with earlier
/// prompts are not computed again. ``InferenceEngine`` runs one on its own thread; training calls it for rollouts:
///
/// ```swift
/// let core = InferenceCore(model)
/// for prompt in prompts { try core.add(TokenRequest(prompt: prompt, random: random.split())) }
/// while !core.isDone {
///   for step in core.step() { … }     // step.request, step.result, step.end
/// }
/// ```
///
/// The output of a continuation does not depend on what else is generated, nor on what the cache held of its prompt.
/// For quantized weights, computed in bfloat16 as with `Precision.automatic`, that is exact: their kernels sum each
/// row separately. Other weights are multiplied by oneDNN, whose last bits may differ for other numbers of rows (with
/// AVX2 they do; with AVX-512 no case was seen).
///
/// Change the model's weights only while nothing is being generated, and call ``forgetPrefix()`` then.
public final class InferenceCore {
  /// Why a continuation ended.
  public enum End: String, Sendable, Codable {
    /// The maximum number of tokens, or the end of the context.
    case length
    case stopToken
  }

  public struct Step: Sendable {
    /// The number returned by ``InferenceCore/add(_:)``.
    public let request: Int
    /// The next token; or the error of this request, which has then ended.
    public let result: Result<GeneratedToken, GenerationError>
    /// Why this is the continuation's last token; nil if it is not.
    public let end: End?
    /// Tokens of the prompt that did not have to be computed, because they were cached or shared with an equal prompt.
    public let cachedCount: Int
  }

  public let model: TransformerLM
  let rules: RequestRules
  let cache: KeyValueCache
  private var prefixes: PrefixCache
  private let maximumContinuations: Int
  private var waiting: [Continuation] = []
  private(set) var active: [Continuation] = []
  private var requestCount = 0
  /// Of the model's matrix multiplications.
  private var weightTypes: Set<DType> = []
  /// Whether whole pages of prompts are multiplied in bfloat16, and all other rows in integers.
  private var splitsPrompts = false

  public init(_ model: TransformerLM, cacheType: CacheType = .bfloat16, limits: InferenceLimits = .init()) {
    self.model = model
    cache = model.makeCache(cacheType)
    rules = RequestRules(model.configuration, cache, limits)
    prefixes = PrefixCache(pages: Swift.min(limits.prefixBytes, limits.cacheBytes) / cache.pageBytes)
    maximumContinuations = limits.continuations
  }

  public var isDone: Bool { waiting.isEmpty && active.isEmpty }

  public var statistics: InferenceStatistics {
    InferenceStatistics(
      active: active.reduce(0) { $0 + 1 + $1.followers.count }, waiting: waiting.count, cacheBytes: cache.bytes,
      prefixBytes: prefixes.pageCount * cache.pageBytes)
  }

  /// - Returns: the request's number: 0, 1, 2, …
  /// - Throws: ``GenerationError`` for a prompt that is empty, fills the context, or contains unknown tokens;
  ///   and for a request that may need more memory than there is.
  @discardableResult
  public func add(_ request: TokenRequest) throws(GenerationError) -> Int {
    precondition(request.maximumTokens >= 1, "InferenceCore: \(request.maximumTokens) tokens to generate")
    try rules.check(request)
    defer { requestCount += 1 }
    waiting.append(Continuation(requestCount, request, rules: rules))
    return requestCount
  }

  /// Ends a request where it is.
  public func end(_ request: Int) {
    waiting.removeAll { $0.number == request }
    for leader in active { leader.followers.removeAll { $0.number == request } }
    guard let index = active.firstIndex(where: { $0.number == request }) else { return }
    // Others may wait for this one to prefill their common prompt.
    let followers = active[index].followers
    release(active.remove(at: index))
    waiting = followers + waiting
  }

  /// Drops the cached keys and values of finished continuations: they are invalid for other weights.
  public func forgetPrefix() { prefixes.removeAll(cache) }

  // MARK: A step

  /// Maximum tokens of one prompt per step.
  private static let chunk = 512
  /// Rows of a step beyond which no more prompts join it.
  private static let stepRows = 1024

  /// Processes the next tokens, and samples one for each continuation whose prompt is prefilled. May return
  /// none during long prompts.
  public func step() -> [Step] {
    admit()
    var (pages, rest): ([Part], [Part]) = ([], [])
    var rows = 0
    for continuation in active where rows < Self.stepRows || continuation.unread == 1 {
      let count = Swift.min(continuation.unread, Self.chunk)
      let whole = Swift.min(wholePages(continuation) - continuation.read, count)
      if whole > 0 { pages.append(Part(continuation, whole)) }
      if count > Swift.max(whole, 0) { rest.append(Part(continuation, count - Swift.max(whole, 0))) }
      rows += count
    }
    let steps = (pages.isEmpty ? [] : read(pages)) + (rest.isEmpty ? [] : withEachRowAlone { readHeld(rest) })
    for continuation in active where continuation.hasEnded { release(continuation) }
    active.removeAll(where: \.hasEnded)
    return steps
  }

  private struct Part {
    let continuation: Continuation
    let count: Int
    init(_ continuation: Continuation, _ count: Int) { (self.continuation, self.count) = (continuation, count) }
  }

  /// A step of few rows is hundreds of short parallel regions, for which waiting threads are faster than threads that
  /// must be woken.
  private func readHeld(_ parts: [Part]) -> [Step] {
    let rows = parts.reduce(0) { $0 + $1.count }
    let isHeld = weightTypes.allSatisfy { $0.multipliesIntegers(of: model.computeType, rows: rows) }
    return isHeld ? Threads.whileHeld { read(parts) } : read(parts)
  }

  /// Processes the next tokens of each, and samples one for those whose prompt is prefilled.
  private func read(_ parts: [Part]) -> [Step] {
    let hidden = model.read(
      parts.map { part in
        let continuation = part.continuation
        return (continuation.sequence!, Array(continuation.tokens[continuation.read...].prefix(part.count)))
      }, cache)
    var (choosers, lastRows): ([Continuation], [Int32]) = ([], [])
    var row = 0
    for part in parts {
      let continuation = part.continuation
      row += part.count
      continuation.read += part.count
      guard continuation.unread == 0 else { continue }
      let followers = continuation.followers
      continuation.followers = []
      for follower in followers {
        follower.sequence = cache.fork(continuation.sequence!)
        (follower.read, follower.cached) = (continuation.read, continuation.read)
        active.append(follower)
      }
      choosers += [continuation] + followers
      lastRows += Array(repeating: Int32(row - 1), count: 1 + followers.count)
    }
    return withEachRowAlone { choose(choosers, hidden, lastRows) }
  }

  /// Rows of logits in memory at a time.
  private static let logitRows = 64

  private func choose(_ continuations: [Continuation], _ hidden: Tensor, _ rows: [Int32]) -> [Step] {
    var steps: [Step] = []
    lazy var damaged = model.firstNonFiniteParameter
    for start in stride(from: 0, to: rows.count, by: Self.logitRows) {
      let part = start..<Swift.min(start + Self.logitRows, rows.count)
      let logits = logits(hidden, Array(rows[part]))
      let width = logits.shape[1]
      let numbers = logits.floats
      parallelFor(part.count, grain: 1) { range in
        for i in range { continuations[start + i].choose(Logits(.init(start: numbers + i * width, count: width))) }
      }
      for continuation in continuations[part] {
        var result = continuation.chosen!
        if case .failure(.notFinite) = result { result = .failure(.notFinite(tensor: damaged)) }
        steps.append(
          Step(
            request: continuation.number, result: result, end: continuation.end, cachedCount: continuation.cached))
      }
    }
    return steps
  }

  /// Logits of the tokens that follow the given rows: [rows, V]. Each may be overwritten.
  private func logits(_ hidden: Tensor, _ rows: [Int32]) -> Tensor {
    withoutGradient {
      // Followers share their leader's row and come right after it.
      let distinct = rows.indices.filter { $0 == 0 || rows[$0] != rows[$0 - 1] }.map { rows[$0] }
      let isAll = distinct.count == hidden.shape[0]
      let logits = model.logits(isAll ? hidden : hidden.gather(Tensor(distinct)))
      if distinct.count == rows.count { return logits }
      var index: Int32 = -1
      return logits.gather(
        Tensor(
          rows.indices.map { i in
            if i == 0 || rows[i] != rows[i - 1] { index += 1 }
            return index
          }))
    }
  }

  // MARK: Admission

  /// Admits waiting requests, in order, while there are slots and memory.
  private func admit() {
    if active.isEmpty {
      weightTypes = model.weightTypes
      splitsPrompts = weightTypes.contains { $0.dependsOnRowCount(of: model.computeType) }
    }
    var count = active.reduce(0) { $0 + 1 + $1.followers.count }
    var admitted = 0
    for continuation in waiting {
      guard count < maximumContinuations, admit(continuation) else { break }
      admitted += 1
      count += 1
    }
    waiting.removeFirst(admitted)
  }

  private func admit(_ continuation: Continuation) -> Bool {
    if let leader = active.first(where: { $0.isReadingPrompt && $0.tokens == continuation.tokens }) {
      guard makeRoom(pages: ownPages(continuation)) else { return false }
      leader.followers.append(continuation)
      return true
    }
    let (sequence, common) = beginning(continuation)
    continuation.sequence = sequence
    guard makeRoom(pages: cache.growth(of: sequence, to: continuation.positions)) else {
      cache.remove(sequence)
      continuation.sequence = nil
      return false
    }
    (continuation.read, continuation.cached) = (common, common)
    active.append(continuation)
    return true
  }

  /// A sequence with the longest prefix of the prompt that an earlier or active one has.
  private func beginning(_ continuation: Continuation) -> (KeyValueCache.Sequence, common: Int) {
    // The last token of the prompt must be computed, for its logits.
    let prompt = continuation.tokens.dropLast()
    var best = prefixes.longest(prompt)
    for other in active {
      let common = commonPrefix(other.tokens[..<reusable(other)], prompt)
      if common > best?.common ?? 0 { best = (other.sequence!, common) }
    }
    let page = splitsPrompts ? KeyValueCache.pageLength : 1
    guard let best, best.common >= page else { return (cache.add(), 0) }
    let sequence = cache.fork(best.sequence)
    cache.truncate(sequence, to: best.common / page * page)
    return (sequence, best.common / page * page)
  }

  /// Whether this many more pages fit with all active requests at their maximum length; evicts cached prefixes to make
  /// room.
  private func makeRoom(pages: Int) -> Bool {
    let growth = active.reduce(pages) { sum, continuation in
      sum + cache.growth(of: continuation.sequence!, to: continuation.positions)
        + continuation.followers.reduce(0) { $0 + ownPages($1) }
    }
    while cache.pageCount + growth > rules.pages, !prefixes.isEmpty { prefixes.removeOldest(cache) }
    return cache.pageCount + growth <= rules.pages
  }

  /// Pages that a follower does not share with its leader.
  private func ownPages(_ follower: Continuation) -> Int {
    KeyValueCache.pages(holding: follower.positions) - follower.promptCount / KeyValueCache.pageLength
  }

  // MARK: Prefixes

  // A row's bits must not depend on what was cached. Cached keys and values have the same bits as if
  // computed now, whatever else was in the batch, except where whole pages of a prompt take another path through
  // quantized weights than single rows do, which is many times as fast there (AMX, AVX512-BF16). Then only
  // such pages are shared.

  /// Tokens of a prompt that are processed in whole pages.
  private func wholePages(_ continuation: Continuation) -> Int {
    splitsPrompts ? continuation.promptCount / KeyValueCache.pageLength * KeyValueCache.pageLength : 0
  }

  /// Tokens of a continuation so far whose keys and values others may reuse.
  private func reusable(_ continuation: Continuation) -> Int {
    splitsPrompts ? Swift.min(continuation.read, wholePages(continuation)) : continuation.read
  }

  private func release(_ continuation: Continuation) {
    guard let sequence = continuation.sequence else { return }
    if case .failure = continuation.chosen { return cache.remove(sequence) }
    prefixes.insert(continuation.tokens[..<reusable(continuation)], sequence, cache)
  }
}

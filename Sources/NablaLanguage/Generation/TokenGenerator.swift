import NablaNN
import NablaTensor

/// A prompt of tokens, and how to go on from it.
public struct TokenRequest: Sendable {
  public var prompt: [Int32]
  public var maximumTokens: Int
  public var sampling: SamplingOptions
  /// Tokens that end the continuation.
  public var stopTokens: Set<Int32>
  /// The stream of the choices: the same for the same prompt gives the same continuation, whatever else is generated.
  public var random: RandomSource
  /// Report log-probabilities: of the chosen tokens, and of this many of the best beside them. Nil for none.
  public var logProbabilities: Int?

  public init(
    prompt: [Int32], maximumTokens: Int = 256, sampling: SamplingOptions = .init(), stopTokens: Set<Int32> = [],
    random: RandomSource, logProbabilities: Int? = nil
  ) {
    (self.prompt, self.maximumTokens, self.sampling) = (prompt, maximumTokens, sampling)
    (self.stopTokens, self.random, self.logProbabilities) = (stopTokens, random, logProbabilities)
  }
}

/// One token of a continuation.
public struct GeneratedToken: Sendable {
  public let token: Int32
  /// ln of the model's probability of the token, before penalties, temperature and truncation; nil if not asked for.
  public let logProbability: Float?
  /// The likeliest tokens by the model, the best first.
  public let best: [(token: Int32, logProbability: Float)]
}

/// Continues any number of prompts together, a token of each at a time.
///
/// Prompts may have any lengths: their tokens are the rows of one matrix, without padding. Continuations leave when they
/// end and others take their place. Equal prompts are read once. A continuation does not depend on what is generated
/// beside it. That is exact for quantized weights, whose products sum each row alone; products of others differ in the
/// last bits for other numbers of rows.
///
/// ```swift
/// let generator = TokenGenerator(model)
/// for prompt in prompts { try generator.add(TokenRequest(prompt: prompt, random: random.split())) }
/// while !generator.isDone {
///   for step in try generator.step() { … }     // step.request, step.token, step.end
/// }
/// ```
///
/// Change the model's weights only while nothing is being generated, and call ``forgetPrefix()`` then.
public final class TokenGenerator {
  public let model: TransformerLM
  /// The most continuations at a time; others wait for their turn.
  public var maximumBatch = 256
  /// Whether the continuation that ended last stays in the cache, for a prompt that begins with it (the next turn of a
  /// chat).
  public var keepsPrefix = false
  public let cache: KeyValueCache
  /// Tokens of prompts read since the last time that nothing was under way.
  public private(set) var lastReadCount = 0

  private var waiting: [Continuation] = []
  private var active: [Continuation] = []
  private var kept: (tokens: ArraySlice<Int32>, sequence: KeyValueCache.Sequence)?
  private var requestCount = 0
  /// Of the model's products.
  private var weightTypes: Set<DType> = []

  public init(_ model: TransformerLM, cacheType: CacheType = .bfloat16) {
    self.model = model
    cache = model.makeCache(cacheType)
  }

  /// Why a continuation ended.
  public enum End: String, Sendable, Codable {
    /// As many tokens as asked for, or the end of the context.
    case length
    case stopToken
  }

  public struct Step: Sendable {
    /// What ``TokenGenerator/add(_:)`` returned.
    public let request: Int
    public let token: GeneratedToken
    /// Why this is the continuation's last token; nil if it is not.
    public let end: End?
  }

  public var isDone: Bool { waiting.isEmpty && active.isEmpty }

  /// - Returns: the request's number: 0, 1, 2, …
  /// - Throws: ``GenerationError`` for a prompt that is empty, fills the context, or holds tokens the model has not.
  @discardableResult
  public func add(_ request: TokenRequest) throws(GenerationError) -> Int {
    let c = model.configuration
    guard !request.prompt.isEmpty else { throw .emptyPrompt }
    guard request.prompt.count < c.context else {
      throw .promptTooLong(tokens: request.prompt.count, context: c.context)
    }
    if let token = request.prompt.first(where: { $0 < 0 || Int($0) >= c.vocabularySize }) {
      throw .unknownToken(token, vocabulary: c.vocabularySize)
    }
    precondition(request.maximumTokens >= 1, "TokenGenerator: \(request.maximumTokens) tokens to generate")
    if isDone { lastReadCount = 0 }
    defer { requestCount += 1 }
    waiting.append(Continuation(requestCount, request, context: c.context))
    return requestCount
  }

  /// Ends a request where it stands.
  public func end(_ request: Int) {
    waiting.removeAll { $0.number == request }
    for leader in active { leader.followers.removeAll { $0.number == request } }
    guard let index = active.firstIndex(where: { $0.number == request }) else { return }
    // Others may wait for this one to have read their common prompt.
    let followers = active[index].followers
    release(active.remove(at: index))
    waiting = followers + waiting
  }

  /// Drops what ``keepsPrefix`` kept.
  public func forgetPrefix() {
    if let kept { cache.remove(kept.sequence) }
    kept = nil
  }

  /// Tokens of one prompt that are read in one pass.
  private static let chunk = 512
  /// Rows of a pass, beyond which no more prompts join it.
  private static let passRows = 1024

  /// Reads the next tokens, and chooses one for each continuation whose prompt has been read. May return none while long
  /// prompts are read.
  public func step() throws(GenerationError) -> [Step] {
    admit()
    var (parts, readers): ([(sequence: KeyValueCache.Sequence, tokens: [Int32])], [Continuation]) = ([], [])
    var rows = 0
    for continuation in active where rows < Self.passRows || continuation.unread == 1 {
      let tokens = continuation.tokens[continuation.read...].prefix(Self.chunk)
      parts.append((continuation.sequence!, Array(tokens)))
      readers.append(continuation)
      rows += tokens.count
      if continuation.read < continuation.promptCount { lastReadCount += tokens.count }
    }
    guard !parts.isEmpty else { return [] }
    // A step of few rows is hundreds of short regions, for which threads that wait are quicker than those that are called.
    func compute() -> Result<[Step], GenerationError> {
      Result { () throws(GenerationError) in try read(parts, for: readers) }
    }
    let isHeld = weightTypes.allSatisfy { $0.multipliesIntegers(of: model.computeType, rows: rows) }
    return try (isHeld ? Threads.whileHeld(compute) : compute()).get()
  }

  /// Reads the next tokens of each, and chooses one for those whose prompt has been read.
  private func read(
    _ parts: [(sequence: KeyValueCache.Sequence, tokens: [Int32])], for readers: [Continuation]
  ) throws(GenerationError) -> [Step] {
    let hidden = model.read(parts, cache)
    var (choosers, lastRows): ([Continuation], [Int32]) = ([], [])
    var row = 0
    for (continuation, part) in zip(readers, parts) {
      row += part.tokens.count
      continuation.read += part.tokens.count
      guard continuation.unread == 0 else { continue }
      let followers = continuation.followers
      continuation.followers = []
      for follower in followers {
        follower.sequence = cache.fork(continuation.sequence!)
        follower.read = continuation.read
        active.append(follower)
      }
      choosers += [continuation] + followers
      lastRows += Array(repeating: Int32(row - 1), count: 1 + followers.count)
    }
    let steps = try choose(choosers, hidden, lastRows)
    for continuation in choosers where continuation.end != nil { release(continuation) }
    active.removeAll { $0.end != nil }
    return steps
  }

  /// Lets waiting requests in while there is room.
  private func admit() {
    if active.isEmpty { weightTypes = model.weightTypes }
    var count = active.reduce(0) { $0 + 1 + $1.followers.count }
    var admitted = 0
    for continuation in waiting.prefix(Swift.max(0, maximumBatch - count)) {
      admitted += 1
      count += 1
      if let leader = active.first(where: { $0.read < $0.promptCount && $0.tokens == continuation.tokens }) {
        leader.followers.append(continuation)
        continue
      }
      // The last token of the prompt must be read, for what follows it.
      let common = kept.map { zip($0.tokens, continuation.tokens.dropLast()).prefix { $0 == $1 }.count } ?? 0
      if let kept, common > 0 {
        continuation.sequence = cache.fork(kept.sequence)
        cache.truncate(continuation.sequence!, to: common)
        continuation.read = common
      } else {
        continuation.sequence = cache.add()
      }
      active.append(continuation)
    }
    waiting.removeFirst(admitted)
  }

  private func release(_ continuation: Continuation) {
    guard let sequence = continuation.sequence else { return }
    if keepsPrefix {
      forgetPrefix()
      kept = (continuation.tokens[..<continuation.read], sequence)
    } else {
      cache.remove(sequence)
    }
  }

  /// Rows of scores held at a time.
  private static let scoreRows = 64

  private func choose(
    _ continuations: [Continuation], _ hidden: Tensor, _ rows: [Int32]
  ) throws(GenerationError) -> [Step] {
    var steps: [Step] = []
    for start in stride(from: 0, to: rows.count, by: Self.scoreRows) {
      let part = start..<Swift.min(start + Self.scoreRows, rows.count)
      let logits = scores(hidden, Array(rows[part]))
      let width = logits.shape[1]
      let scores = logits.floats
      parallelFor(part.count, grain: 1) { range in
        for i in range { continuations[start + i].choose(Scores(scores + i * width, count: width)) }
      }
      for continuation in continuations[part] {
        guard let token = continuation.chosen else { throw .notFinite(tensor: model.firstNonFiniteParameter) }
        steps.append(Step(request: continuation.number, token: token, end: continuation.end))
      }
    }
    return steps
  }

  /// Scores of the tokens that follow the given rows: [rows, V]. Each may be written over.
  private func scores(_ hidden: Tensor, _ rows: [Int32]) -> Tensor {
    withoutGradient {
      // Followers share their leader's row, beside which they stand.
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
}

/// A request as it grows. Unchecked: while threads choose tokens, each continuation belongs to one.
private final class Continuation: @unchecked Sendable {
  let number: Int
  let request: TokenRequest
  let promptCount: Int
  private let limit: Int
  private var random: RandomSource
  private var history: SamplingOptions.History?
  /// Prompt and continuation.
  private(set) var tokens: [Int32]
  /// How many of them the cache holds.
  var read = 0
  var sequence: KeyValueCache.Sequence?
  /// Requests with the same prompt, which wait until this one has read it.
  var followers: [Continuation] = []
  private(set) var end: TokenGenerator.End?
  private(set) var chosen: GeneratedToken?

  var unread: Int { tokens.count - read }

  init(_ number: Int, _ request: TokenRequest, context: Int) {
    (self.number, self.request) = (number, request)
    (tokens, promptCount, random) = (request.prompt, request.prompt.count, request.random)
    limit = Swift.min(request.maximumTokens, context - request.prompt.count)
    history = request.sampling.hasPenalties ? .init(prompt: request.prompt) : nil
  }

  /// Leaves `chosen` nil if the scores are no numbers.
  func choose(_ scores: Scores) {
    chosen = nil
    let highest = scores.best
    guard highest.isFinite else { return }
    let shift = request.logProbabilities == nil ? 0 : scores.logSumExp
    let raw = request.logProbabilities == nil ? nil : UnsafeBufferPointer(start: scores.pointer, count: scores.count)
    let best = raw.map { likeliest($0, scores, highest, shift) } ?? []
    // The scores are about to be written over: a few of them are looked up afterwards.
    let copy = raw.map { Array($0) }
    let token = request.sampling.choose(
      from: UnsafeMutableBufferPointer(start: scores.pointer, count: scores.count), history: history ?? .init(),
      random: &random)
    chosen = GeneratedToken(token: token, logProbability: copy.map { $0[Int(token)] - shift }, best: best)
    tokens.append(token)
    history?.append(token)
    if request.stopTokens.contains(token) {
      end = .stopToken
    } else if tokens.count - promptCount >= limit {
      end = .length
    }
  }

  private func likeliest(
    _ raw: UnsafeBufferPointer<Float>, _ scores: Scores, _ highest: Float, _ shift: Float
  ) -> [(token: Int32, logProbability: Float)] {
    let count = Swift.min(request.logProbabilities ?? 0, raw.count)
    guard count > 0 else { return [] }
    // Ever lower scores are let in until there are enough.
    var reach: Float = 2
    while true {
      let least = reach > 1e4 ? -.infinity : highest - reach
      if let found = scores.indices(atLeast: least, limit: raw.count), found.count >= count || least == -.infinity {
        return found.map { (token: $0, logProbability: raw[Int($0)] - shift) }
          .sorted {
            $0.logProbability == $1.logProbability ? $0.token < $1.token : $0.logProbability > $1.logProbability
          }
          .prefix(count).map { $0 }
      }
      reach *= 3
    }
  }
}

public enum GenerationError: Error, CustomStringConvertible, Sendable, Equatable {
  case emptyPrompt
  case promptTooLong(tokens: Int, context: Int)
  case unknownToken(Int32, vocabulary: Int)
  /// A choice whose tokens are all part of the prompt's.
  case noTokens(of: String)
  /// The model's scores are NaN or infinite.
  case notFinite(tensor: String?)

  public var description: String {
    switch self {
    case .emptyPrompt: "the prompt is empty, and the model has no token that begins a text"
    case .promptTooLong(let tokens, let context):
      "the prompt has \(tokens) tokens and the model reads at most \(context), its answer included: shorten it"
    case .unknownToken(let token, let vocabulary):
      "the prompt has token \(token), but the model's vocabulary ends at \(vocabulary - 1): tokenizer and model do not "
        + "belong together"
    case .noTokens(let choice):
      "the choice '\(choice)' adds no token to the prompt's: it cannot be told from its end"
    case .notFinite(let tensor?): "the model's scores are no numbers: its tensor \(tensor) holds NaN or infinities"
    case .notFinite(nil):
      "the model's scores are no numbers, though its weights are: they are too large to compute with"
    }
  }
}

extension TransformerLM {
  /// The first parameter that holds NaN or an infinity.
  var firstNonFiniteParameter: String? {
    parameters().first { !$0.value.sumOfSquares().isFinite }?.name
  }
}

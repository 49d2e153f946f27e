import NablaNN
import NablaTensor
import NablaText

/// Continues prompts of one kind: how tokens are chosen, and where texts begin and end. A value beside the engine that
/// computes, which copies of it share.
///
/// ```swift
/// var generator = TextGenerator(model, tokenizer: tokenizer, sampling: .init(temperature: 0.8), seed: 1)
/// try generator.run(prompt: "Once", maximumTokens: 100) { _, text in print(text, terminator: "") }
/// ```
public struct TextGenerator: Sendable {
  public let engine: InferenceEngine
  public var sampling: SamplingOptions
  /// Text at which a continuation ends; it is not part of the result.
  public var stopStrings: [String] = []
  /// Tokens at which a continuation ends; at first the tokenizer's end of text.
  public var stopTokens: Set<Int32>
  /// What a text from its beginning follows; at first the tokenizer's end of text, or token 0.
  public var firstToken: Int32
  /// Report log-probabilities: of the chosen tokens, and of this many of the best beside them. Nil for none.
  public var logProbabilities: Int?
  /// Changes logits before a token is chosen.
  public var logitHook: LogitHook?
  private var random: RandomSource

  public var tokenizer: any Tokenizer { engine.tokenizer }

  public init(_ engine: InferenceEngine, sampling: SamplingOptions = .init(), seed: UInt64 = 1) {
    (self.engine, self.sampling) = (engine, sampling)
    random = RandomSource(seed: seed)
    stopTokens = engine.tokenizer.endOfText.map { [$0] } ?? []
    firstToken = engine.tokenizer.endOfText ?? 0
  }

  /// With an engine of its own.
  public init(
    _ model: TransformerLM, tokenizer: any Tokenizer, sampling: SamplingOptions = .init(), seed: UInt64 = 1,
    cacheType: CacheType = .bfloat16, limits: InferenceLimits = .init()
  ) {
    self.init(
      InferenceEngine(model, tokenizer: tokenizer, cacheType: cacheType, limits: limits), sampling: sampling, seed: seed
    )
  }

  /// - Parameters:
  ///   - prompt: empty for a text from its beginning.
  ///   - count: continuations, each drawn on its own.
  ///   - onText: called with the number of a continuation and text as it comes; text that may turn out to begin a stop
  ///     string is held back.
  /// - Throws: `TokenizerError` if the vocabulary cannot express the prompt; ``GenerationError`` if it fills the
  ///   context.
  @discardableResult
  public mutating func run(
    prompt: String, maximumTokens: Int = 256, count: Int = 1,
    onText: (_ continuation: Int, _ text: String) -> Void = { _, _ in }
  ) throws -> [Completion] {
    try Self.run(try start(prompt: prompt, maximumTokens: maximumTokens, count: count), onText)
  }

  /// A continuation of each of several prompts.
  @discardableResult
  public mutating func run(
    prompts: [[Int32]], maximumTokens: Int = 256, onText: (_ prompt: Int, _ text: String) -> Void = { _, _ in }
  ) throws -> [Completion] {
    try Self.run(try start(prompts: prompts, maximumTokens: maximumTokens), onText)
  }

  private static func run(_ streams: [GenerationStream], _ onText: (Int, String) -> Void) throws -> [Completion] {
    // A piece of each in turn: they come together.
    var open = Array(streams.enumerated())
    while !open.isEmpty {
      var rest: [(offset: Int, element: GenerationStream)] = []
      for (index, stream) in open {
        guard let piece = try stream.next() else { continue }
        if !piece.text.isEmpty { onText(index, piece.text) }
        rest.append((index, stream))
      }
      open = rest
    }
    return try streams.map { try $0.completion() }
  }

  /// Begins what ``run(prompt:maximumTokens:count:onText:)`` does: a stream for each continuation.
  public mutating func start(prompt: String, maximumTokens: Int = 256, count: Int = 1) throws -> [GenerationStream] {
    // The beginning of a text as the model was trained on it; its end must not come before the continuation.
    let tokens = tokenizer.template.prefix + (try tokenizer.encode(prompt))
    return try start(Array(repeating: tokens, count: count), maximumTokens, continuing: !prompt.isEmpty)
  }

  /// Begins an answer to each prompt, a text of its own; an empty prompt is a text from its beginning.
  ///
  /// - Parameter continuing: whether the answers go on from the prompts' text instead.
  public mutating func start(
    prompts: [[Int32]], maximumTokens: Int = 256, continuing: Bool = false
  ) throws -> [GenerationStream] {
    try start(prompts, maximumTokens, continuing: continuing)
  }

  private mutating func start(
    _ prompts: [[Int32]], _ maximumTokens: Int, continuing: Bool
  ) throws -> [GenerationStream] {
    let requests = prompts.map { prompt in
      GenerationRequest(
        TokenRequest(
          prompt: prompt.isEmpty ? [firstToken] : prompt, maximumTokens: maximumTokens, sampling: sampling,
          stopTokens: stopTokens, random: random.split(), logProbabilities: logProbabilities, logitHook: logitHook),
        stopStrings: stopStrings, continuesText: continuing)
    }
    return try engine.submit(requests)
  }
}

extension TransformerLM {
  /// A continuation of a text, computed on the calling thread: for a look at a model in training.
  ///
  /// - Parameter prompt: empty for a text from its beginning.
  public func generate(
    prompt: String, tokenizer: any Tokenizer, maximumTokens: Int = 256, sampling: SamplingOptions = .init(),
    seed: UInt64 = 1
  ) throws -> Completion {
    var random = RandomSource(seed: seed)
    let tokens = tokenizer.template.prefix + (try tokenizer.encode(prompt))
    let request = TokenRequest(
      prompt: tokens.isEmpty ? [tokenizer.endOfText ?? 0] : tokens, maximumTokens: maximumTokens, sampling: sampling,
      stopTokens: tokenizer.endOfText.map { [$0] } ?? [], random: random.split())
    return try InferenceCore(self).complete(
      [GenerationRequest(request, continuesText: !prompt.isEmpty)], tokenizer: tokenizer)[0]
  }
}

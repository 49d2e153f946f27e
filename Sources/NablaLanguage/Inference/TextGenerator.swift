import NablaNN
import NablaTensor
import NablaText

/// Generates text from prompts with one set of options: how tokens are sampled, and where texts begin and end.
/// A value; copies share its engine.
///
/// ```swift
/// var generator = TextGenerator(model, tokenizer: tokenizer, sampling: .init(temperature: 0.8), seed: 1)
/// try generator.run(prompt: "Once", maximumTokens: 100) { _, text in print(text, terminator: "") }
/// ```
public struct TextGenerator: Sendable {
  public let engine: InferenceEngine
  public var sampling: SamplingOptions
  /// Text at which a completion ends; it is not part of the result.
  public var stopStrings: [String] = []
  /// Tokens at which a completion ends; by default the tokenizer's end of text.
  public var stopTokens: Set<Int32>
  /// The token before the beginning of a text; by default the tokenizer's end of text, or token 0.
  public var firstToken: Int32
  /// Report log-probabilities: of the sampled tokens, and of this many of the most likely ones. Nil for none.
  public var logProbabilities: Int?
  /// Changes logits before a token is sampled.
  public var logitHook: LogitHook?
  private var random: RandomSource

  public var tokenizer: any Tokenizer { engine.tokenizer }

  public init(_ engine: InferenceEngine, sampling: SamplingOptions = .init(), seed: UInt64 = 1) {
    (self.engine, self.sampling) = (engine, sampling)
    random = RandomSource(seed: seed)
    stopTokens = engine.tokenizer.endOfText.map { [$0] } ?? []
    firstToken = engine.tokenizer.endOfText ?? 0
  }

  /// With its own engine.
  public init(
    _ model: TransformerLM, tokenizer: any Tokenizer, sampling: SamplingOptions = .init(), seed: UInt64 = 1,
    cacheType: CacheType = .bfloat16, limits: InferenceLimits = .init()
  ) {
    self.init(
      InferenceEngine(model, tokenizer: tokenizer, cacheType: cacheType, limits: limits), sampling: sampling, seed: seed
    )
  }

  /// - Parameters:
  ///   - prompt: empty to start a new text.
  ///   - maximumTokens: of each completion.
  ///   - count: the number of completions, each sampled independently.
  ///   - onText: called with the number of a completion and text as it is generated; text that may be the beginning of
  ///     a stop string is held back.
  /// - Throws: `TokenizerError` if the vocabulary cannot express the prompt; ``GenerationError`` if it fills the
  ///   context.
  @discardableResult
  public mutating func run(
    prompt: String, maximumTokens: Int = 256, count: Int = 1,
    onText: (_ continuation: Int, _ text: String) -> Void = { _, _ in }
  ) throws -> [Completion] {
    try Self.run(try start(prompt: prompt, maximumTokens: maximumTokens, count: count), onText)
  }

  /// One completion for each of several prompts.
  @discardableResult
  public mutating func run(
    prompts: [[Int32]], maximumTokens: Int = 256, onText: (_ prompt: Int, _ text: String) -> Void = { _, _ in }
  ) throws -> [Completion] {
    try Self.run(try start(prompts: prompts, maximumTokens: maximumTokens), onText)
  }

  private static func run(_ streams: [GenerationStream], _ onText: (Int, String) -> Void) throws -> [Completion] {
    // A piece of each in turn, as they are generated together.
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

  /// Starts what ``run(prompt:maximumTokens:count:onText:)`` does: a stream for each completion.
  public mutating func start(prompt: String, maximumTokens: Int = 256, count: Int = 1) throws -> [GenerationStream] {
    // The beginning of a text as in training; no end token must come before the completion.
    let tokens = tokenizer.template.prefix + (try tokenizer.encode(prompt))
    return try start(Array(repeating: tokens, count: count), maximumTokens, continuing: !prompt.isEmpty)
  }

  /// Starts an answer to each prompt, a separate text; an empty prompt starts a new text.
  ///
  /// - Parameters:
  ///   - prompts: as token ids.
  ///   - maximumTokens: of each answer.
  ///   - continuing: whether the answers continue the text of the prompts instead.
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
  /// A completion of a text, computed on the calling thread: for samples during training.
  ///
  /// - Parameters:
  ///   - prompt: empty to start a new text.
  ///   - tokenizer: the model's.
  ///   - maximumTokens: of the completion.
  ///   - sampling: temperature, top-k, top-p, penalties.
  ///   - seed: the same seed gives the same text.
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

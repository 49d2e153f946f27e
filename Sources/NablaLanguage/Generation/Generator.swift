import NablaNN
import NablaTensor
import NablaText

/// Writes on from prompts, several continuations at once.
///
/// ```swift
/// var generator = Generator(model, tokenizer: tokenizer, options: .init(temperature: 0.8), seed: 1)
/// try generator.run(prompt: "Once", maximumTokens: 100) { _, text in print(text, terminator: "") }
/// ```
public struct Generator {
  public typealias Completion = NablaLanguage.Completion

  public let tokenizer: any Tokenizer
  public var options: SamplingOptions
  /// Text at which a continuation ends; it is not part of the result.
  public var stopStrings: [String] = []
  /// Tokens at which a continuation ends; at first the tokenizer's end of text.
  public var stopTokens: Set<Int32>
  /// What a text from its beginning goes on from; at first the tokenizer's end of text, or token 0.
  public var firstToken: Int32
  /// Report log-probabilities: of the chosen tokens, and of this many of the best beside them. Nil for none.
  public var logProbabilities: Int?
  /// The cache, and what it keeps of earlier runs.
  public let tokens: TokenGenerator
  private var random: RandomSource

  public var model: TransformerLM { tokens.model }

  public init(
    _ model: TransformerLM, tokenizer: any Tokenizer, options: SamplingOptions = .init(), seed: UInt64 = 1,
    cacheType: CacheType = .bfloat16
  ) {
    (self.tokenizer, self.options) = (tokenizer, options)
    tokens = TokenGenerator(model, cacheType: cacheType)
    random = RandomSource(seed: seed)
    stopTokens = tokenizer.endOfText.map { [$0] } ?? []
    firstToken = tokenizer.endOfText ?? 0
  }

  /// - Parameters:
  ///   - prompt: empty for a text from its beginning.
  ///   - count: continuations, each drawn on its own.
  ///   - onText: called with the number of a continuation and text as it comes; text that may turn out to begin a stop
  ///     string is held back.
  /// - Throws: `TokenizerError` if the vocabulary cannot express the prompt; ``GenerationError`` if it fills the context.
  @discardableResult
  public mutating func run(
    prompt: String, maximumTokens: Int = 256, count: Int = 1,
    onText: (_ continuation: Int, _ text: String) -> Void = { _, _ in }
  ) throws -> [Completion] {
    try run(try start(prompt: prompt, maximumTokens: maximumTokens, count: count), onText)
  }

  /// A continuation of each of several prompts.
  @discardableResult
  public mutating func run(
    prompts: [[Int32]], maximumTokens: Int = 256, onText: (_ prompt: Int, _ text: String) -> Void = { _, _ in }
  ) throws -> [Completion] {
    try run(try start(prompts: prompts, maximumTokens: maximumTokens), onText)
  }

  private func run(_ generation: TextGeneration, _ onText: (Int, String) -> Void) throws -> [Completion] {
    while let pieces = try generation.next() {
      for piece in pieces { onText(piece.continuation, piece.text) }
    }
    return generation.completions
  }

  /// Begins what ``run(prompt:maximumTokens:count:onText:)`` does, for the caller to go on with.
  public mutating func start(prompt: String, maximumTokens: Int = 256, count: Int = 1) throws -> TextGeneration {
    // The beginning of a text as the model was trained on it; its end must not come before the continuation.
    let tokens = tokenizer.template.prefix + (try tokenizer.encode(prompt))
    return try start(Array(repeating: tokens, count: count), maximumTokens, continuing: !prompt.isEmpty)
  }

  /// Begins an answer to each prompt, a text of its own; an empty prompt is a text from its beginning.
  public mutating func start(prompts: [[Int32]], maximumTokens: Int = 256) throws -> TextGeneration {
    try start(prompts, maximumTokens, continuing: false)
  }

  private mutating func start(
    _ prompts: [[Int32]], _ maximumTokens: Int, continuing: Bool
  ) throws -> TextGeneration {
    let requests = prompts.map { prompt in
      TokenRequest(
        prompt: prompt.isEmpty ? [firstToken] : prompt, maximumTokens: maximumTokens, sampling: options,
        stopTokens: stopTokens, random: random.split(), logProbabilities: logProbabilities)
    }
    return try TextGeneration(tokens, requests) {
      CompletionWriter(tokenizer, stopStrings: stopStrings, continuing: continuing)
    }
  }
}
